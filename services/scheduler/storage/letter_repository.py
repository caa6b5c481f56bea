"""The SQL of dead letters: recorded once, found by cause and origin, dropped."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.letters import LetterStatus
from shared.bus.dead_letters import Letter, run_of

# One of a run that makes others good goes on counting where theirs are: it goes back to them.
_APPEND: Final = sa.text(
    """
    INSERT INTO dead_letters
        (topic, partition_number, position, consumer, run_id, reason, detail, attempts, key, value, headers, redrives)
    VALUES (:topic, :partition, :position, :consumer, :run_id, :reason, :detail, :attempts, :key, :value,
            CAST(:headers AS jsonb), coalesce((
                SELECT max(d.redrives) FROM redriven_letters r JOIN dead_letters d USING (letter_id)
                WHERE r.run_id = :run_id
            ), 0))
    ON CONFLICT DO NOTHING
    """
)
FILTER: Final = """
    status = ANY (:statuses)
    AND (CAST(:run_id AS uuid) IS NULL OR run_id = :run_id)
    AND topic = coalesce(:topic, topic) AND reason = coalesce(:reason, reason)
"""


class StoredLetter(NamedTuple):
    """A message that could not be processed: where it came from, why, and how it stands."""

    letter_id: UUID
    place: int
    topic: str
    partition_number: int
    position: int
    consumer: str
    run_id: UUID | None
    reason: str
    detail: str
    attempts: int
    recorded_at: datetime
    status: str
    redrives: int
    dropped_at: datetime | None
    dropped_by: str | None
    dropped_why: str | None


class LetterMessage(NamedTuple):
    """The message itself."""

    key: str
    value: bytes
    headers: dict[str, str]


class LetterCount(NamedTuple):
    """How many letters of one cause are open."""

    consumer: str
    reason: str
    letters: int


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters; None: whatever it is."""

    reason: str | None = None
    topic: str | None = None
    run_id: UUID | None = None
    status: LetterStatus | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the condition; without a status, those that are open."""
        wanted = [self.status] if self.status else [each for each in LetterStatus if each.is_open]
        return {
            "statuses": [each.value for each in wanted],
            "run_id": self.run_id,
            "topic": self.topic,
            "reason": self.reason,
        }


def number_of(said: str | None, otherwise: int, *, digits: int) -> int:
    """Return the number that a header says, or another one."""
    # Anybody can write headers: what would not fit the column is not taken.
    return int(said) if said and said.isascii() and said.isdigit() and len(said) <= digits else otherwise


_COLUMNS: Final = ", ".join(StoredLetter._fields)


class LetterRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_letter(self, letter: Letter) -> None:
        """Record a dead letter with its cause and origin; a repetition changes nothing."""
        said = letter.headers
        parameters = {
            "topic": said.get("dlq-topic", letter.topic),
            "partition": number_of(said.get("dlq-partition"), letter.partition, digits=9),
            "position": number_of(said.get("dlq-offset"), letter.offset, digits=18),
            "consumer": said.get("dlq-consumer", "unknown"),
            "run_id": run_of(letter),
            "reason": said.get("dlq-reason", "unknown"),
            "detail": said.get("dlq-detail", ""),
            "attempts": number_of(said.get("dlq-attempts"), 0, digits=9),
            "key": letter.key,
            "value": letter.value,
            "headers": json.dumps(dict(said)),
        }
        await self._connection.execute(_APPEND, parameters)

    async def list_letters(self, only: LetterFilter, *, limit: int, before: int | None) -> list[StoredLetter]:
        """Return the letters that a filter lets through, the newest first, behind a place."""
        query = sa.text(
            f"SELECT {_COLUMNS} FROM dead_letters WHERE {FILTER} "
            "AND (CAST(:before AS bigint) IS NULL OR place < :before) ORDER BY place DESC LIMIT :limit"
        )
        rows = await self._connection.execute(query, {**only.parameters(), "limit": limit, "before": before})
        return [StoredLetter._make(row) for row in rows]

    async def find_letter(self, letter_id: UUID) -> StoredLetter | None:
        """Return the letter if it is known."""
        query = sa.text(f"SELECT {_COLUMNS} FROM dead_letters WHERE letter_id = :letter_id")
        row = (await self._connection.execute(query, {"letter_id": letter_id})).one_or_none()
        return None if row is None else StoredLetter._make(row)

    async def load_message(self, letter_id: UUID) -> LetterMessage:
        """Return the message of a letter that is known."""
        query = sa.text("SELECT key, value, headers FROM dead_letters WHERE letter_id = :letter_id").columns(
            sa.column("key"), sa.column("value"), sa.column("headers", JSONB)
        )
        row = (await self._connection.execute(query, {"letter_id": letter_id})).one()
        return LetterMessage(row.key, row.value, row.headers)

    async def count_open(self) -> list[LetterCount]:
        """Return how many letters are open, by consumer and cause, the most first."""
        query = sa.text(
            "SELECT consumer, reason, count(*) FROM dead_letters WHERE status NOT IN ('settled', 'dropped') "
            "GROUP BY consumer, reason ORDER BY count(*) DESC, consumer, reason"
        )
        return [LetterCount._make(row) for row in await self._connection.execute(query)]

    async def drop_letter(self, letter_id: UUID, *, by: str, why: str) -> None:
        """Record that nobody will deal with a letter, who says so, and why."""
        statement = sa.text(
            "UPDATE dead_letters SET status = 'dropped', dropped_at = clock_timestamp(), dropped_by = :by, "
            "dropped_why = :why WHERE letter_id = :letter_id"
        )
        await self._connection.execute(statement, {"letter_id": letter_id, "by": by, "why": why})
