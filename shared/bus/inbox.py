"""The inbox: a consumer's memory of the events that it has processed."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_RECORD = sa.text(
    """
    INSERT INTO inbox (consumer, event_id, replay_id) VALUES (:consumer, :event_id, :replay_id)
    ON CONFLICT DO NOTHING RETURNING event_id
    """
)


async def first_time_seen(connection: AsyncConnection, consumer: str, event_id: UUID, *, replay_id: str = "") -> bool:
    """Record the event in the caller's transaction and tell whether it was new to this consumer."""
    parameters = {"consumer": consumer, "event_id": event_id, "replay_id": replay_id}
    return await connection.scalar(_RECORD, parameters) is not None
