"""The SQL of webhooks: queued with what they tell, claimed by one process at a time."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.webhook import WebhookType

# The claim is a due time: a process that dies with a delivery in hand leaves it to the next one.
_CLAIM = sa.text(
    """
    UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = clock_timestamp() + CAST(:claim AS interval)
    WHERE delivery_id = (
        SELECT delivery_id FROM webhook_deliveries
        WHERE delivered_at IS NULL AND given_up_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING delivery_id, type, body, attempts
    """
)
# Whose claim has run out while it waited does not overwrite what came of the next attempt.
_OURS = "WHERE delivery_id = :delivery_id AND attempts = :attempts AND delivered_at IS NULL"


class Delivery(NamedTuple):
    """What is to be sent, at its attempt of this number."""

    delivery_id: UUID
    type: str
    body: str
    attempts: int


class WebhookRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_delivery(self, delivery_id: UUID, run_id: UUID, kind: WebhookType, body: str) -> None:
        """Queue a delivery; a repetition changes nothing."""
        statement = sa.text(
            "INSERT INTO webhook_deliveries (delivery_id, run_id, type, body) "
            "VALUES (:delivery_id, :run_id, :type, :body) ON CONFLICT DO NOTHING"
        )
        parameters = {"delivery_id": delivery_id, "run_id": run_id, "type": kind.value, "body": body}
        await self._connection.execute(statement, parameters)

    async def claim_due(self, claim: timedelta) -> Delivery | None:
        """Return a delivery whose time has come, counted as an attempt; nobody else gets it for so long."""
        row = (await self._connection.execute(_CLAIM, {"claim": claim})).one_or_none()
        return None if row is None else Delivery(*row)

    async def mark_delivered(self, delivery: Delivery) -> None:
        """Record that the receiver has it."""
        statement = sa.text(
            f"UPDATE webhook_deliveries SET delivered_at = clock_timestamp(), last_error = NULL {_OURS}"
        )
        await self._connection.execute(statement, _key(delivery))

    async def postpone(self, delivery: Delivery, pause: timedelta | None, *, error: str) -> None:
        """Record why the receiver does not have it, and try again after a pause; without one it is given up."""
        statement = sa.text(
            "UPDATE webhook_deliveries SET last_error = :error, "
            "due_at = clock_timestamp() + coalesce(CAST(:pause AS interval), interval '0'), "
            f"given_up_at = CASE WHEN CAST(:pause AS interval) IS NULL THEN clock_timestamp() END {_OURS}"
        )
        await self._connection.execute(statement, {**_key(delivery), "pause": pause, "error": error})


def _key(delivery: Delivery) -> dict[str, object]:
    return {"delivery_id": delivery.delivery_id, "attempts": delivery.attempts}
