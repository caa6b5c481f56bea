"""The SQL of webhooks: a delivery is queued in the transaction of what it tells, and sent afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.webhook import WebhookEvent

_CLAIM = sa.text(
    """
    UPDATE webhook_deliveries SET attempts = attempts + 1, next_at = clock_timestamp() + make_interval(secs => :claim_s)
    WHERE delivery_id IN (
        SELECT delivery_id FROM webhook_deliveries WHERE delivered_at IS NULL AND next_at <= clock_timestamp()
        ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING delivery_id, event, body::text AS body, attempts
    """
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be sent, for the how manieth time."""

    delivery_id: UUID
    event: WebhookEvent
    body: str
    attempts: int


class WebhookRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_delivery(self, run_id: UUID, event: WebhookEvent, body: str) -> None:
        """Queue a delivery."""
        statement = sa.text(
            "INSERT INTO webhook_deliveries (delivery_id, run_id, event, body) "
            "VALUES (:delivery_id, :run_id, :event, CAST(:body AS jsonb))"
        )
        parameters = {"delivery_id": uuid4(), "run_id": run_id, "event": event.value, "body": body}
        await self._connection.execute(statement, parameters)

    async def claim_due(self, *, limit: int, claim_s: float) -> Sequence[Delivery]:
        """Return deliveries whose time has come; nobody else gets them for so long."""
        rows = await self._connection.execute(_CLAIM, {"limit": limit, "claim_s": claim_s})
        return [Delivery(row.delivery_id, WebhookEvent(row.event), row.body, row.attempts) for row in rows]

    async def mark_delivered(self, delivery_id: UUID) -> None:
        """Say that the receiver has it."""
        statement = sa.text(
            "UPDATE webhook_deliveries SET delivered_at = clock_timestamp(), last_error = NULL WHERE delivery_id = :id"
        )
        await self._connection.execute(statement, {"id": delivery_id})

    async def postpone(self, delivery_id: UUID, pause: timedelta | None, *, error: str) -> None:
        """Say why the receiver does not have it, and when to try again; never again without a pause."""
        statement = sa.text(
            "UPDATE webhook_deliveries SET last_error = :error, "
            "next_at = coalesce(clock_timestamp() + CAST(:pause AS interval), 'infinity') WHERE delivery_id = :id"
        )
        await self._connection.execute(statement, {"id": delivery_id, "pause": pause, "error": error[:500]})
