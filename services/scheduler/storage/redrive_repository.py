"""The SQL of redrives: which letters, how far each is, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.letters import LetterStatus
from services.scheduler.core.redrive import Candidate, Nature, RedriveStatus, Way
from services.scheduler.storage.letter_repository import FILTER, LetterFilter
from shared.bus.dead_letters import REPORTED_HEADER, Letter
from shared.contracts.catalogue import ASKED, EVENTS, is_work

_IN_HAND: Final = "status NOT IN ('settled', 'failed', 'dropped')"
# Its redrive has ended for a letter: it is dealt with, or waits again.
_END: Final = """
    WITH ended AS ({})
    UPDATE dead_letters d SET status = CASE ended.status WHEN 'settled' THEN 'settled' ELSE 'waiting' END
    FROM ended WHERE d.letter_id = ended.letter_id AND ended.status IN ('settled', 'failed')
"""
_CANDIDATES: Final = f"""
    SELECT letter_id, topic, consumer, r.run_id, d.status, redrives, headers ? '{REPORTED_HEADER}' AS reported
    FROM dead_letters d LEFT JOIN runs r USING (run_id)
"""
# Of each redrive a batch when the one before is through: one whose consumer is away holds up no other.
_QUEUED: Final = sa.text(
    """
    WITH batch AS (
        SELECT replay_id FROM (
            SELECT replay_id, row_number() OVER (PARTITION BY redrive_id ORDER BY place) AS nth
            FROM redriven_letters r JOIN dead_letters USING (letter_id)
            WHERE r.status = 'queued' AND way <> 'run' AND NOT EXISTS (
                SELECT FROM redriven_letters s WHERE s.redrive_id = r.redrive_id AND s.status = 'sent'
            )
        ) AS waiting WHERE nth <= :batch
    ),
    sent AS (
        UPDATE redriven_letters SET status = 'sent' WHERE replay_id IN (SELECT replay_id FROM batch)
        RETURNING letter_id, replay_id
    )
    SELECT replay_id, topic, partition_number, position, consumer, key, value, headers
    FROM sent JOIN dead_letters USING (letter_id) ORDER BY place
    """
).columns(
    *map(sa.column, ("replay_id", "topic", "partition_number", "position", "consumer", "key", "value")),
    sa.column("headers", JSONB),
)
# When every fact of a run that is sent again has been stored, so that one run makes all of them good.
_DUE_RUNS: Final = sa.text(
    """
    SELECT run_id, array_agg(letter_id) AS letters,
        coalesce(array_agg(letter_id) FILTER (WHERE way = 'message and run'), '{}') AS facts
    FROM (
        SELECT d.run_id, d.place, r.letter_id, r.way, r.status
        FROM redriven_letters r JOIN dead_letters d USING (letter_id)
        WHERE r.way <> 'message' AND r.status IN ('queued', 'sent', 'taken')
    ) AS waiting
    GROUP BY run_id
    HAVING bool_and(way = 'run' OR status = 'taken')
    ORDER BY min(place)
    """
)


class Sending(NamedTuple):
    """A message that is to be sent again, to whom, and as which sending."""

    replay_id: UUID
    consumer: str
    letter: Letter


@dataclass(frozen=True, slots=True)
class DueRun:
    """Letters of a run that one run over what it could not do makes good; what `facts` name, it does in any case."""

    run_id: UUID
    letters: tuple[UUID, ...]
    facts: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class StoredRedrive:
    """A redrive, and how many of its letters are how far."""

    redrive_id: UUID
    requested_by: str
    why: str
    requested_at: datetime
    finished_at: datetime | None
    counts: Mapping[RedriveStatus, int]
    run_ids: tuple[UUID, ...]


class Attempt(NamedTuple):
    """A redrive of a letter, and what came of it."""

    redrive_id: UUID
    requested_by: str
    why: str
    requested_at: datetime
    way: str
    status: str
    run_id: UUID | None
    detail: str


class RedriveRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Let nobody else change a redrive until the transaction ends."""
        await self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('redrives', 0))"))

    async def list_candidates(self, letter_ids: Sequence[UUID]) -> list[Candidate]:
        """Return those of the letters that are known, the oldest first."""
        query = sa.text(f"{_CANDIDATES} WHERE letter_id = ANY (:letter_ids) ORDER BY d.place").bindparams(
            sa.bindparam("letter_ids", type_=sa.ARRAY(PG_UUID()))
        )
        return [_candidate(row) for row in await self._connection.execute(query, {"letter_ids": list(letter_ids)})]

    async def list_matching(self, only: LetterFilter) -> list[Candidate]:
        """Return the letters that a filter lets through, the oldest first."""
        query = sa.text(
            f"{_CANDIDATES} WHERE letter_id IN (SELECT letter_id FROM dead_letters WHERE {FILTER}) ORDER BY d.place"
        )
        return [_candidate(row) for row in await self._connection.execute(query, only.parameters())]

    async def append_redrive(self, redrive_id: UUID, *, requested_by: str, why: str) -> None:
        """Record who wants letters redriven, and why."""
        statement = sa.text(
            "INSERT INTO redrives (redrive_id, requested_by, why) VALUES (:redrive_id, :requested_by, :why)"
        )
        await self._connection.execute(statement, {"redrive_id": redrive_id, "requested_by": requested_by, "why": why})

    async def append_letters(self, redrive_id: UUID, ways: Mapping[UUID, Way], replays: Mapping[UUID, UUID]) -> None:
        """Queue letters, each to go its way under its replay."""
        statement = sa.text(
            """
            WITH queued AS (
                INSERT INTO redriven_letters (redrive_id, letter_id, replay_id, way)
                SELECT :redrive_id, * FROM unnest(:letter_ids, :replay_ids, CAST(:ways AS text[])) RETURNING letter_id
            )
            UPDATE dead_letters SET status = 'redriving', redrives = redrives + 1
            WHERE letter_id IN (SELECT letter_id FROM queued)
            """
        ).bindparams(
            sa.bindparam("letter_ids", type_=sa.ARRAY(PG_UUID())),
            sa.bindparam("replay_ids", type_=sa.ARRAY(PG_UUID())),
        )
        parameters = {
            "redrive_id": redrive_id,
            "letter_ids": list(ways),
            "replay_ids": [replays[letter_id] for letter_id in ways],
            "ways": [way.value for way in ways.values()],
        }
        await self._connection.execute(statement, parameters)

    async def has_unfinished(self) -> bool:
        """Tell whether there is anything to do."""
        query = sa.text("SELECT EXISTS (SELECT FROM redrives WHERE finished_at IS NULL)")
        return bool(await self._connection.scalar(query))

    async def take_queued(self, batch: int) -> list[Sending]:
        """Return the messages that are now to be sent: a batch of each redrive of which none is under way."""
        rows = await self._connection.execute(_QUEUED, {"batch": batch})
        return [
            Sending(
                row.replay_id,
                row.consumer,
                Letter(row.topic, row.partition_number, row.position, row.key, row.value, row.headers),
            )
            for row in rows
        ]

    async def is_known(self, replay_id: UUID) -> bool:
        """Tell whether it was sent from here."""
        query = sa.text("SELECT EXISTS (SELECT FROM redriven_letters WHERE replay_id = :replay_id)")
        return bool(await self._connection.scalar(query, {"replay_id": replay_id}))

    async def settle_sent(self, replay_id: UUID) -> None:
        """Record that a message that was sent has been processed; a repetition changes nothing."""
        took = """
            UPDATE redriven_letters SET status = CASE way WHEN 'message' THEN 'settled' ELSE 'taken' END
            WHERE replay_id = :replay_id AND status = 'sent' RETURNING letter_id, status
        """
        await self._connection.execute(sa.text(_END.format(took)), {"replay_id": replay_id})

    async def fail_sent(self, replay_id: UUID, *, reason: str, detail: str, attempts: int) -> None:
        """Record that a message that was sent could not be processed again; a repetition changes nothing."""
        statement = sa.text(
            """
            WITH failed AS (
                UPDATE redriven_letters SET status = 'failed', detail = :reason || ': ' || :detail
                WHERE replay_id = :replay_id AND status = 'sent' RETURNING letter_id
            )
            UPDATE dead_letters
            SET status = 'waiting', reason = :reason, detail = :detail, attempts = attempts + :attempts
            WHERE letter_id IN (SELECT letter_id FROM failed)
            """
        )
        parameters = {"replay_id": replay_id, "reason": reason, "detail": detail, "attempts": attempts}
        await self._connection.execute(statement, parameters)

    async def is_under_way(self, replay_id: UUID) -> bool:
        """Tell whether a message of the redrive that this one is of is under way."""
        query = sa.text(
            "SELECT EXISTS (SELECT FROM redriven_letters r JOIN redriven_letters one USING (redrive_id) "
            "WHERE one.replay_id = :replay_id AND r.status = 'sent')"
        )
        return bool(await self._connection.scalar(query, {"replay_id": replay_id}))

    async def list_due_runs(self) -> list[DueRun]:
        """Return what is to be made good by runs, by the run that could not do it."""
        rows = await self._connection.execute(_DUE_RUNS)
        return [DueRun(row.run_id, tuple(row.letters), tuple(row.facts)) for row in rows]

    async def load_values(self, letter_ids: Sequence[UUID]) -> list[tuple[str, bytes]]:
        """Return (topic, message) of letters."""
        query = sa.text("SELECT topic, value FROM dead_letters WHERE letter_id = ANY (:letter_ids)").bindparams(
            sa.bindparam("letter_ids", type_=sa.ARRAY(PG_UUID()))
        )
        rows = await self._connection.execute(query, {"letter_ids": list(letter_ids)})
        return [(row.topic, row.value) for row in rows]

    async def begin_run(self, due: DueRun, run_id: UUID) -> None:
        """Record the run that makes letters good."""
        await self._update(due.letters, "status = 'computing', run_id = :run_id, detail = ''", run_id=run_id)

    async def hold(self, due: DueRun, why: str) -> None:
        """Record why letters wait."""
        await self._update(due.letters, "detail = :why", why=why)

    async def settle_letters(self, letter_ids: Sequence[UUID], detail: str) -> None:
        """Record that there is nothing more to do for these."""
        ended = f"""
            UPDATE redriven_letters SET status = 'settled', detail = :detail
            WHERE letter_id = ANY (:letter_ids) AND {_IN_HAND} RETURNING letter_id, status
        """
        statement = sa.text(_END.format(ended)).bindparams(sa.bindparam("letter_ids", type_=sa.ARRAY(PG_UUID())))
        await self._connection.execute(statement, {"letter_ids": list(letter_ids), "detail": detail})

    async def settle_ended_runs(self) -> None:
        """Record what came of the letters whose run has ended."""
        ended = """
            UPDATE redriven_letters r
            SET status = CASE WHEN u.status IN ('completed', 'completed_with_errors') THEN 'settled' ELSE 'failed' END,
                detail = 'the run ' || replace(u.status, '_', ' ')
            FROM runs u WHERE u.run_id = r.run_id AND u.status <> 'active' AND r.status = 'computing'
            RETURNING letter_id, r.status
        """
        await self._connection.execute(sa.text(_END.format(ended)))

    async def drop_letter(self, letter_id: UUID) -> None:
        """Record that a letter was dropped while it was redriven."""
        await self._update([letter_id], "status = 'dropped'")

    async def finish(self) -> None:
        """Close the redrives of which nothing is left to do."""
        statement = sa.text(
            f"""
            UPDATE redrives f SET finished_at = clock_timestamp() WHERE finished_at IS NULL
            AND NOT EXISTS (SELECT FROM redriven_letters r WHERE r.redrive_id = f.redrive_id AND {_IN_HAND})
            """
        )
        await self._connection.execute(statement)

    async def find_redrive(self, redrive_id: UUID) -> StoredRedrive | None:
        """Return the redrive if it is known."""
        query = sa.text("SELECT * FROM redrives WHERE redrive_id = :redrive_id")
        row = (await self._connection.execute(query, {"redrive_id": redrive_id})).one_or_none()
        if row is None:
            return None
        counted = sa.text(
            "SELECT status, count(*) AS letters, array_remove(array_agg(DISTINCT run_id), NULL) AS run_ids "
            "FROM redriven_letters WHERE redrive_id = :redrive_id GROUP BY status"
        )
        groups = (await self._connection.execute(counted, {"redrive_id": redrive_id})).all()
        return StoredRedrive(
            **row._mapping,
            counts={RedriveStatus(group.status): group.letters for group in groups},
            run_ids=tuple(sorted({run_id for group in groups for run_id in group.run_ids})),
        )

    async def list_attempts(self, letter_id: UUID) -> list[Attempt]:
        """Return the redrives of a letter, the oldest first."""
        query = sa.text(
            f"SELECT {', '.join(Attempt._fields)} FROM redriven_letters JOIN redrives USING (redrive_id) "
            "WHERE letter_id = :letter_id ORDER BY requested_at"
        )
        return [Attempt._make(row) for row in await self._connection.execute(query, {"letter_id": letter_id})]

    async def _update(self, letter_ids: Sequence[UUID], changes: str, **parameters: object) -> None:
        statement = sa.text(
            f"UPDATE redriven_letters SET {changes} WHERE letter_id = ANY (:letter_ids) AND {_IN_HAND}"
        ).bindparams(sa.bindparam("letter_ids", type_=sa.ARRAY(PG_UUID())))
        await self._connection.execute(statement, {"letter_ids": list(letter_ids), **parameters})


def _candidate(row: Any) -> Candidate:
    status = LetterStatus(row.status)
    return Candidate(
        row.letter_id, row.topic, row.consumer, row.run_id, status, row.redrives, row.reported, _nature(row.topic)
    )


def _nature(topic: str) -> Nature:
    if topic not in EVENTS:
        return Nature.FOREIGN
    return Nature.WORK if topic in ASKED or is_work(topic) else Nature.FACT
