"""The outbox: what a transaction announces is written with its facts and published afterwards by the relay."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.event import Event
from shared.errors import EventTooLarge
from shared.tracing import trace_parent

Headers = dict[str, str]

# What brokers take. Parts are cut to well under 1 MB; the room above it is for a shard with many corrected histories,
# and for the one event that names all that a run is over.
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
# A dead letter is the message and its cause.
_ROOM_FOR_HEADERS: Final = 32 * 1024
_STATEMENT_BYTES: Final = 4 * MAX_MESSAGE_BYTES
_STATEMENT_ROWS: Final = 1_000

# Figures in letters take two thirds of the room that PostgreSQL would give them, and no more of anybody's time.
_PACKED_FROM: Final = 16 * 1024
_FAST: Final = 1
# Says in the table, and nowhere else, that a value is packed.
_PACKED: Final = "outbox-packed"
_MAY_BE_PACKED: Final = "values may be packed"
# Of the step `post`: code of before would publish a packed value as it stands.
LET_PACK: Final = f"COMMENT ON TABLE outbox IS '{_MAY_BE_PACKED}'"
_MAY_PACK: Final = sa.text(f"SELECT obj_description('outbox'::regclass, 'pg_class') = '{_MAY_BE_PACKED}'")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits for the relay."""

    topic: str
    key: str
    value: bytes
    headers: Headers
    run_id: UUID | None


def outbox_row(event: Event, *, source: str) -> OutboxRow:
    """Return the event as a message with CloudEvents and trace headers (``ce_time`` is added when it is sent).

    Raises
    ------
    EventTooLarge
        If no broker would take it, neither now nor later.
    """
    value = event.model_dump_json().encode()
    largest = MAX_MESSAGE_BYTES - _ROOM_FOR_HEADERS
    if len(value) > largest:
        raise EventTooLarge(event.topic, len(value), largest=largest)
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(event.event_id),
        "ce_type": event.event_type(),
        "ce_source": f"urn:sigmasight:{source}",
        "ce_subject": f"{event.run.run_id}/{event.part.index}",
        "traceparent": trace_parent(event),
    }
    return OutboxRow(event.topic, event.key, value, headers, event.run.run_id)


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
        run_id <> ALL (:done) OR topic = ANY (:topics)
        OR (topic = 'batch.completed' OR run_id IS NULL)
            AND created_at > (SELECT max(created_at) FROM outbox) - interval '1 day'
    )
    """
).bindparams(sa.bindparam("done", type_=sa.ARRAY(PG_UUID())), sa.bindparam("topics", type_=sa.ARRAY(sa.Text)))


async def append_to_outbox(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> None:
    """Write messages in the caller's transaction, in the given order, in statements of bounded size."""
    are_large = any(len(row.value) >= _PACKED_FROM for row in rows)
    may_pack = are_large and bool(await connection.scalar(_MAY_PACK))
    for some in _statements([_packed(row, may_pack=may_pack) for row in rows]):
        await connection.execute(
            _APPEND,
            {
                "run_ids": [row.run_id for row in some],
                "topics": [row.topic for row in some],
                "keys": [row.key for row in some],
                "values": [row.value for row in some],
                "headers": [json.dumps(row.headers) for row in some],
            },
        )


def _packed(row: OutboxRow, *, may_pack: bool) -> OutboxRow:
    if may_pack and len(row.value) >= _PACKED_FROM:
        return replace(row, value=zlib.compress(row.value, _FAST), headers={**row.headers, _PACKED: "zlib"})
    # What somebody else has sent may have any header.
    return replace(row, headers={name: value for name, value in row.headers.items() if name != _PACKED})


def unpacked(value: bytes, headers: Mapping[str, str]) -> tuple[bytes, Headers]:
    """Return the value of a row of the outbox and its headers as they are published."""
    published = {name: said for name, said in headers.items() if name != _PACKED}
    return (zlib.decompress(value) if _PACKED in headers else value), published


def _statements(rows: Sequence[OutboxRow]) -> Iterator[Sequence[OutboxRow]]:
    first, size = 0, 0
    for place, row in enumerate(rows):
        if place > first and (size + len(row.value) > _STATEMENT_BYTES or place - first == _STATEMENT_ROWS):
            yield rows[first:place]
            first, size = place, 0
        size += len(row.value)
    if rows:
        yield rows[first:]


async def requeue(connection: AsyncConnection, done: Sequence[UUID], *, topics: Sequence[str] = ()) -> int:
    """Let the relay publish again what was published of other runs than these, and the last day's announcements.

    Of some topics, all that is kept.

    Returns
    -------
    int
        How many messages wait again.
    """
    return (await connection.execute(_REQUEUE, {"done": list(done), "topics": list(topics)})).rowcount


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as the outbox keeps it, published or not."""

    row: OutboxRow
    created_at: datetime
    id: int

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands in its outbox."""
        return self.created_at, self.id


BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
END: Final = datetime(9999, 12, 30, tzinfo=UTC)
_COLUMNS = "topic, key, value, headers, run_id, created_at, id"
_LIST_KEPT = sa.text(
    f"""
    SELECT {_COLUMNS} FROM outbox
    WHERE topic = ANY(:topics) AND created_at >= :since AND (created_at, id) > (:since, :id) AND created_at < :until
    ORDER BY created_at, id LIMIT :limit
    """
)
_FIND_KEPT = sa.text(
    f"""
    SELECT {_COLUMNS} FROM outbox WHERE topic = ANY(:topics) AND headers ->> 'ce_id' = ANY(:ids)
    ORDER BY created_at, id
    """
)
_TAKE = sa.text(f"WITH taken AS (DELETE FROM outbox RETURNING {_COLUMNS}) SELECT * FROM taken ORDER BY id")
_LIST_SENT = sa.text(
    "SELECT headers ->> 'ce_id' FROM outbox WHERE topic = :topic AND headers ->> 'replay-id' = :replay_id"
)
# Of the runs over a session or later ones the first that was asked for: what they led to is younger.
_FIRST_ASKED = sa.text(
    """
    SELECT min(created_at) FROM outbox
    WHERE topic = ANY(:topics) AND CAST(convert_from(value, 'UTF8') AS jsonb) #>> '{run,last_session}' >= :session
    """
)


async def list_kept(
    connection: AsyncConnection,
    topics: Sequence[str],
    *,
    after: tuple[datetime, int],
    until: datetime,
    limit: int,
) -> list[Kept]:
    """Return messages of these topics that stand behind a place, the oldest first."""
    wanted = {"topics": list(topics), "since": after[0], "id": after[1], "until": until, "limit": limit}
    return await _kept(connection, _LIST_KEPT, wanted)


async def find_kept(connection: AsyncConnection, topics: Sequence[str], event_ids: Sequence[UUID]) -> list[Kept]:
    """Return the messages of these topics with these events, the oldest first."""
    return await _kept(
        connection, _FIND_KEPT, {"topics": list(topics), "ids": [str(event_id) for event_id in event_ids]}
    )


async def take_kept(connection: AsyncConnection) -> list[Kept]:
    """Remove all messages, as the one who handles them in the place of a relay, and return them in their order."""
    return await _kept(connection, _TAKE, {})


async def list_sent(connection: AsyncConnection, topic: str, replay_id: UUID) -> set[str]:
    """Return which events of a topic stand in the outbox as parts of a replay."""
    sent = await connection.execute(_LIST_SENT, {"topic": topic, "replay_id": str(replay_id)})
    return set(sent.scalars())


async def first_asked(connection: AsyncConnection, topics: Sequence[str], session: date) -> datetime | None:
    """Return when the first of these topics' messages was written that is about a session or a later one."""
    found: datetime | None = await connection.scalar(_FIRST_ASKED, {"topics": list(topics), "session": str(session)})
    return found


async def _kept(connection: AsyncConnection, query: sa.TextClause, parameters: dict[str, Any]) -> list[Kept]:
    rows = await connection.execute(query.columns(headers=JSONB), parameters)
    return [
        Kept(OutboxRow(row.topic, row.key, *unpacked(row.value, row.headers), row.run_id), row.created_at, row.id)
        for row in rows
    ]
