"""The scheduler's SQL: runs and their parts."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.ledger import StageTally, tally
from shared.contracts.event import Event, Failure
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.selection import Day, Instant

_RUN_COLUMNS = "run_id, run, status, requested_at, counts_from, finished_at"
# Stands among the parts of a stage that was closed by its deadline, with what never came as its failure.
CLOSING: Final = -1
# Runs of other kinds are live: somebody waits for their numbers, and no step of a backfill goes on beside them.
GIVES_WAY: Final = frozenset({RunKind.BACKFILL, RunKind.REPLAY})


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the ledger keeps it; its deadlines count from its request, or from the last start of the scheduler."""

    run: Run
    status: RunStatus
    requested_at: datetime
    counts_from: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs: of a kind, in a status, over a session, asked for in [since, before); None: whatever it is."""

    kind: RunKind | None = None
    status: RunStatus | None = None
    session: Day | None = None
    since: Instant | None = None
    before: Instant | None = None


class Standing(NamedTuple):
    """How a run stands that is known."""

    status: RunStatus
    requested_at: datetime


class StatusCount(NamedTuple):
    """How many runs are in a status, and how many seconds they took together."""

    status: RunStatus
    runs: int
    seconds: float


class Scope(Protocol):
    """What a run, or a request, is about."""

    @property
    def symbols(self) -> Collection[str] | None:
        """None: every watched one."""

    @property
    def portfolio_ids(self) -> Collection[UUID | str] | None:
        """None: every one."""


def scope_of(run: Scope) -> str:
    """Return the scope that may have one active run per kind and session: all is ``*``, none is nothing."""
    symbols = "*" if run.symbols is None else ",".join(sorted(run.symbols))
    portfolios = "*" if run.portfolio_ids is None else ",".join(sorted(map(str, run.portfolio_ids)))
    return f"symbols={symbols} portfolios={portfolios}"


def _stored(row: Any) -> StoredRun:
    return StoredRun(
        Run.model_validate(row.run), RunStatus(row.status), row.requested_at, row.counts_from, row.finished_at
    )


def _run_query(clause: str) -> Any:
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in _RUN_COLUMNS.split(", ") if name != "run"]
    return sa.text(f"SELECT {_RUN_COLUMNS} FROM runs {clause}").columns(*columns, sa.column("run", JSONB))


class SchedulerRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_run(self, run: Run, *, scope: str) -> bool:
        """Open the run unless one of the same kind, session and scope is active, or it is known; tell if it is new."""
        statement = sa.text(
            """
            INSERT INTO runs (run_id, kind, first_session, last_session, scope, run)
            VALUES (:run_id, :kind, :first, :last, :scope, CAST(:run AS jsonb))
            ON CONFLICT DO NOTHING RETURNING run_id
            """
        )
        parameters = {
            "run_id": run.run_id,
            "kind": run.kind.value,
            "first": run.first_session,
            "last": run.last_session,
            "scope": scope,
            "run": run.model_dump_json(),
        }
        return await self._connection.scalar(statement, parameters) is not None

    async def find_active_run(self, run: Run, *, scope: str) -> StoredRun | None:
        """Return the active run that a request for `run` joins, if there is one."""
        query = _run_query(
            "WHERE status = 'active' AND kind = :kind AND last_session = :last AND md5(scope) = md5(:scope)"
        )
        parameters = {"kind": run.kind.value, "last": run.last_session, "scope": scope}
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else _stored(row)

    async def find_run(self, run_id: UUID, *, lock: bool = False) -> StoredRun | None:
        """Return the run if it is known; with `lock`, nobody else folds into it until the transaction ends."""
        query = _run_query("WHERE run_id = :run_id" + (" FOR UPDATE" if lock else ""))
        row = (await self._connection.execute(query, {"run_id": run_id})).one_or_none()
        return None if row is None else _stored(row)

    async def find_standing(self, run_id: UUID, *, lock: bool = False) -> Standing | None:
        """Return how a run stands, without what it names; with `lock`, nobody else folds into it meanwhile."""
        query = sa.text(
            "SELECT status, requested_at FROM runs WHERE run_id = :run_id" + (" FOR UPDATE" if lock else "")
        )
        row = (await self._connection.execute(query, {"run_id": run_id})).one_or_none()
        return None if row is None else Standing(RunStatus(row.status), row.requested_at)

    async def lock_opening(self, run_id: UUID) -> None:
        """Let nobody open the run, or store a part of it while it is unknown, until the transaction ends.

        Else its opening would not see a part that is being stored, nor the part the run.
        """
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('run ' || CAST(:run_id AS text), 0))")
        await self._connection.execute(lock, {"run_id": str(run_id)})

    async def lock_requests(self) -> None:
        """Let nobody else open what is asked for until the transaction ends."""
        await self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('run requests', 0))"))

    async def has_live_run(self) -> bool:
        """Tell whether any run is under way that gives way to none."""
        query = sa.text("SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'active' AND kind <> ALL (:others))")
        return bool(await self._connection.scalar(query, {"others": [kind.value for kind in GIVES_WAY]}))

    async def count_written(self, run_id: UUID) -> int:
        """Return how many cells of a run, of those that have a digest, were made of other inputs than before."""
        query = sa.text(
            """
            SELECT (SELECT coalesce(sum(cardinality(done) + cardinality(failed)), 0) FROM cell_parts
                    WHERE run_id = :run_id AND fact <> 'bars')
                 - (SELECT coalesce(sum(unchanged), 0) FROM run_parts WHERE run_id = :run_id)
            """
        )
        return max(int(await self._connection.scalar(query, {"run_id": run_id}) or 0), 0)

    async def list_runs(
        self, only: RunFilter, *, limit: int, behind: tuple[datetime, UUID] | None = None
    ) -> list[StoredRun]:
        """Return the runs that a filter lets through, the newest request first, behind a request and run."""
        query = _run_query(
            "WHERE requested_at >= coalesce(CAST(:since AS timestamptz), '-infinity') "
            "AND requested_at < coalesce(CAST(:before AS timestamptz), 'infinity') "
            "AND (requested_at, run_id) < (coalesce(CAST(:at AS timestamptz), 'infinity'), CAST(:id AS uuid)) "
            "AND kind = coalesce(:kind, kind) AND status = coalesce(:status, status) "
            "AND coalesce(CAST(:session AS date), first_session) BETWEEN first_session AND last_session "
            "ORDER BY requested_at DESC, run_id DESC LIMIT :limit"
        )
        at, run_id = behind or (None, None)
        rows = await self._connection.execute(query, {**asdict(only), "at": at, "id": run_id, "limit": limit})
        return [_stored(row) for row in rows]

    async def list_active_runs(self, first: date, last: date) -> list[StoredRun]:
        """Return the runs under way over any session in [first, last], the oldest request first."""
        query = _run_query(
            "WHERE status = 'active' AND first_session <= :last AND last_session >= :first ORDER BY requested_at"
        )
        return [_stored(row) for row in await self._connection.execute(query, {"first": first, "last": last})]

    async def list_done_runs(self) -> Sequence[UUID]:
        """Return the runs that have ended with every part in."""
        query = sa.text(
            """
            SELECT run_id FROM runs r WHERE status IN ('completed', 'completed_with_errors')
            AND NOT EXISTS (SELECT 1 FROM run_parts p WHERE p.run_id = r.run_id AND part_index = :closing)
            """
        )
        return (await self._connection.execute(query, {"closing": CLOSING})).scalars().all()

    async def store_part(self, event: Event) -> None:
        """Record that a part of a stage has arrived; a repetition changes nothing."""
        statement = sa.text(
            """
            INSERT INTO run_parts (run_id, stage, part_index, part_total, subjects, unchanged, failures, failed)
            VALUES (:run_id, :stage, :index, :total, :subjects, :unchanged, CAST(:failures AS jsonb), :failed)
            ON CONFLICT DO NOTHING
            """
        )
        parameters = {
            "run_id": event.run.run_id,
            "stage": event.topic,
            "index": event.part.index,
            "total": event.part.total,
            "subjects": event.subjects,
            "unchanged": event.unchanged,
            "failures": json.dumps([failure.model_dump(mode="json") for failure in event.failures]),
            "failed": len(event.failures),
        }
        await self._connection.execute(statement, parameters)

    async def close_stage(self, run_id: UUID, stage: StageTally, never_came: Failure) -> None:
        """Record that a stage has ended without the parts that the failure names."""
        statement = sa.text(
            """
            INSERT INTO run_parts (run_id, stage, part_index, part_total, subjects, failures, failed)
            VALUES (:run_id, :stage, :closing, :total, 0, CAST(:failures AS jsonb), 1)
            """
        )
        parameters = {
            "run_id": run_id,
            "stage": stage.stage,
            "closing": CLOSING,
            "total": stage.parts_total or 0,
            "failures": json.dumps([never_came.model_dump(mode="json")]),
        }
        await self._connection.execute(statement, parameters)

    async def count_runs(self, since: datetime) -> list[StatusCount]:
        """Return how many runs were asked for since an instant, by status, and how long they took together."""
        query = sa.text(
            """
            SELECT status, count(*) AS runs, coalesce(extract(epoch FROM sum(finished_at - requested_at)), 0) AS seconds
            FROM runs WHERE requested_at >= :since GROUP BY status ORDER BY status
            """
        )
        rows = await self._connection.execute(query, {"since": since})
        return [StatusCount(RunStatus(row.status), row.runs, float(row.seconds)) for row in rows]

    async def find_newest_run(self, portfolio_id: UUID, kind: RunKind) -> StoredRun | None:
        """Return the run of a kind that names a portfolio and was asked for last."""
        query = _run_query(
            "WHERE kind = :kind AND run -> 'portfolio_ids' @> to_jsonb(CAST(:portfolio_id AS text)) "
            "ORDER BY requested_at DESC LIMIT 1"
        )
        row = (await self._connection.execute(query, {"kind": kind, "portfolio_id": str(portfolio_id)})).one_or_none()
        return None if row is None else _stored(row)

    async def load_tallies(self, run_id: UUID) -> tuple[StageTally, ...]:
        """Return what has arrived of each stage."""
        return (await self.load_tallies_of([run_id]))[run_id]

    async def load_tallies_of(self, run_ids: Sequence[UUID]) -> dict[UUID, tuple[StageTally, ...]]:
        """Return what has arrived of each stage of these runs."""
        query = sa.text(
            """
            SELECT run_id, stage, parts_done, parts_total, subjects, failed, first_at, last_at, closed_at, least_total
            FROM run_stages WHERE run_id = ANY(:run_ids)
            """
        )
        stages: dict[UUID, list[StageTally]] = {run_id: [] for run_id in run_ids}
        for run_id, *counted in await self._connection.execute(query, {"run_ids": list(run_ids)}):
            stages[run_id].append(StageTally(*counted))
        return {run_id: tally(found) for run_id, found in stages.items()}

    async def load_arrived(self, run_id: UUID) -> dict[str, list[int]]:
        """Return which parts have arrived of each stage that is not complete."""
        query = sa.text(
            """
            SELECT stage, array_agg(part_index) FROM run_parts JOIN run_stages USING (run_id, stage)
            WHERE run_id = :run_id AND part_index <> :closing AND parts_done < parts_total GROUP BY stage
            """
        )
        rows = await self._connection.execute(query, {"run_id": run_id, "closing": CLOSING})
        return {stage: list(parts) for stage, parts in rows}

    async def forget_unopened(self, *, kept: timedelta) -> None:
        """Forget what was said of runs that nothing has opened for so long: nobody shows it, and nothing waits for it.

        What opens a run is announced once, and an inbox remembers no longer than that.
        """
        statement = sa.text(
            """
            WITH unopened AS (
                DELETE FROM run_stages s
                WHERE coalesce(last_at, closed_at) < clock_timestamp() - CAST(:kept AS interval)
                AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_id = s.run_id) RETURNING run_id
            ), parts AS (DELETE FROM run_parts USING unopened WHERE run_parts.run_id = unopened.run_id)
            DELETE FROM cell_parts USING unopened WHERE cell_parts.run_id = unopened.run_id
            """
        )
        await self._connection.execute(statement, {"kept": kept})

    async def list_failures(self, run_id: UUID, *, limit: int, skip: int = 0) -> list[tuple[str, Failure]]:
        """Return (stage, failure) in the order of stage and part, without the first `skip`."""
        query = sa.text(
            """
            SELECT stage, failure FROM run_parts, jsonb_array_elements(failures) AS failure
            WHERE run_id = :run_id ORDER BY stage, part_index, failure ->> 'subject', failure::text
            LIMIT :limit OFFSET :skip
            """
        ).columns(sa.column("stage"), sa.column("failure", JSONB))
        rows = await self._connection.execute(query, {"run_id": run_id, "limit": limit, "skip": skip})
        return [(row.stage, Failure.model_validate(row.failure)) for row in rows]

    async def load_failures(self, run_id: UUID) -> list[tuple[str, Failure]]:
        """Return (stage, failure) of all that failed, in no order."""
        query = sa.text("SELECT stage, failures FROM run_parts WHERE run_id = :run_id AND failed > 0").columns(
            sa.column("stage"), sa.column("failures", JSONB)
        )
        rows = await self._connection.execute(query, {"run_id": run_id})
        return [(row.stage, Failure.model_validate(failure)) for row in rows for failure in row.failures]

    async def finish_run(self, run_id: UUID, status: RunStatus, *, why: str | None = None) -> float:
        """Close the run and return how many seconds it has taken."""
        statement = sa.text(
            "UPDATE runs SET status = :status, why = :why, finished_at = clock_timestamp(), "
            "ended_place = nextval('run_places') WHERE run_id = :run_id "
            "RETURNING extract(epoch FROM finished_at - requested_at)"
        )
        parameters = {"run_id": run_id, "status": status.value, "why": why}
        return float(await self._connection.scalar(statement, parameters))

    async def extend_deadlines(self) -> None:
        """Give active runs their whole time again: nothing could be recorded while the scheduler was down."""
        await self._connection.execute(
            sa.text("UPDATE runs SET counts_from = clock_timestamp() WHERE status = 'active'")
        )

    async def list_runs_older_than(self, age: timedelta) -> list[StoredRun]:
        """Return active runs of that age, locked; those that somebody else holds are left out."""
        query = _run_query(
            "WHERE status = 'active' AND counts_from <= clock_timestamp() - CAST(:age AS interval) "
            "ORDER BY run_id FOR UPDATE SKIP LOCKED"
        )
        return [_stored(row) for row in await self._connection.execute(query, {"age": age})]

    async def load_now(self) -> datetime:
        """Return the time of the clock that the ledger is kept by."""
        now: datetime = (await self._connection.execute(sa.text("SELECT clock_timestamp()"))).scalar_one()
        return now
