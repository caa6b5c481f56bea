"""The outbox: what a transaction announces is written with its facts and published afterwards by the relay."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.event import Event
from shared.tracing import trace_parent

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits for the relay."""

    topic: str
    key: str
    value: bytes
    headers: Headers
    run_id: UUID | None


def outbox_row(event: Event, *, source: str) -> OutboxRow:
    """Return the event as a message with CloudEvents and trace headers (``ce_time`` is added when it is sent)."""
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(event.event_id),
        "ce_type": event.event_type(),
        "ce_source": f"urn:sigmasight:{source}",
        "ce_subject": f"{event.run.run_id}/{event.part.index}",
        "traceparent": trace_parent(event),
    }
    return OutboxRow(event.topic, event.key, event.model_dump_json().encode(), headers, event.run.run_id)


_APPEND = sa.text(
    """
    INSERT INTO outbox (run_id, topic, key, value, headers)
    SELECT * FROM unnest(:run_ids, :topics, :keys, :values, CAST(:headers AS jsonb[]))
    """
).bindparams(
    sa.bindparam("run_ids", type_=sa.ARRAY(PG_UUID())),
    sa.bindparam("topics", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("keys", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("values", type_=sa.ARRAY(BYTEA)),
    sa.bindparam("headers", type_=sa.ARRAY(sa.Text)),
)

# Listeners of ended runs may not have heard of the last ones; the day is that of the outbox, since the broker may have
# been away for longer. Dead letters without a run are those of messages that could not be read at all.
_REQUEUE = sa.text(
    """
    UPDATE outbox SET published_at = NULL
    WHERE published_at IS NOT NULL AND (
        run_id <> ALL (:done)
        OR (topic = 'batch.completed' OR run_id IS NULL)
            AND created_at > (SELECT max(created_at) FROM outbox) - interval '1 day'
    )
    """
).bindparams(sa.bindparam("done", type_=sa.ARRAY(PG_UUID())))


async def append_to_outbox(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> None:
    """Write messages in the caller's transaction, in one statement, in the given order."""
    if not rows:
        return
    await connection.execute(
        _APPEND,
        {
            "run_ids": [row.run_id for row in rows],
            "topics": [row.topic for row in rows],
            "keys": [row.key for row in rows],
            "values": [row.value for row in rows],
            "headers": [json.dumps(row.headers) for row in rows],
        },
    )


async def requeue(connection: AsyncConnection, done: Sequence[UUID]) -> int:
    """Let the relay publish again what was published of other runs than these, and the last day's announcements.

    Returns
    -------
    int
        How many messages wait again.
    """
    return (await connection.execute(_REQUEUE, {"done": list(done)})).rowcount
