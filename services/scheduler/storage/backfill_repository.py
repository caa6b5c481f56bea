"""The SQL of backfills: what was asked for, and the steps it is done in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.backfill_plan import Reprocess, Selection, Step
from services.scheduler.core.backfill_progress import BackfillStatus, Measured, StepOutcome, StepStatus


@dataclass(frozen=True, slots=True)
class StoredBackfill:
    """A backfill as it was asked for, and how it stands."""

    backfill_id: UUID
    selection: Selection
    status: BackfillStatus
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A step with what came of it."""

    backfill_id: UUID
    place: int
    reprocess: Reprocess
    step: Step
    status: StepStatus
    run_id: UUID | None
    outcome: StepOutcome
    started_at: datetime | None
    finished_at: datetime | None


_SELECTION = TypeAdapter(Selection)
_BACKFILL = "backfill_id, selection, status, requested_by, requested_at, finished_at"
_STEP = (
    "backfill_id, place, reprocess, first_session, last_session, symbols, portfolio_ids, cells, status, run_id, "
    "done_cells, unchanged_cells, failed_cells, started_at, finished_at"
)
_APPEND_STEPS = sa.text(
    """
    INSERT INTO backfill_steps (backfill_id, place, attempt, reprocess, first_session, last_session, symbols,
                                portfolio_ids, cells, symbol_sessions, portfolio_sessions)
    VALUES (:backfill_id, :place, :attempt, :reprocess, :first_session, :last_session, CAST(:symbols AS text[]),
            CAST(:portfolio_ids AS uuid[]), :cells, :symbol_sessions, :portfolio_sessions)
    """
)
# A step of one kind tells the rate of that kind; the newest ones tell it best.
_RATES = sa.text(
    """
    SELECT sum(seconds) FILTER (WHERE symbols > 0) / nullif(sum(symbols), 0) AS symbol_session_s,
           sum(seconds) FILTER (WHERE portfolios > 0) / nullif(sum(portfolios), 0) AS portfolio_session_s
    FROM (SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds, symbol_sessions AS symbols,
                 portfolio_sessions AS portfolios
          FROM backfill_steps WHERE status = 'done' ORDER BY finished_at DESC LIMIT :steps) newest
    """
)


class BackfillRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Let nobody else change backfills or begin steps until the transaction ends."""
        await self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('backfills', 0))"))

    async def append_backfill(self, backfill_id: UUID, selection: Selection, requested_by: str) -> None:
        """Store a new backfill."""
        statement = sa.text(
            "INSERT INTO backfills (backfill_id, selection, requested_by) "
            "VALUES (:backfill_id, CAST(:selection AS jsonb), :requested_by)"
        )
        parameters = {
            "backfill_id": backfill_id,
            "selection": _SELECTION.dump_json(selection).decode(),
            "requested_by": requested_by,
        }
        await self._connection.execute(statement, parameters)

    async def append_steps(self, backfill_id: UUID, steps: Sequence[Step], reprocess: Reprocess) -> None:
        """Queue the steps of one more attempt at the end of a backfill."""
        query = sa.text(
            "SELECT coalesce(max(place), -1), coalesce(max(attempt), 0) FROM backfill_steps "
            "WHERE backfill_id = :backfill_id"
        )
        last_place, attempt = (await self._connection.execute(query, {"backfill_id": backfill_id})).one()
        same = {"backfill_id": backfill_id, "attempt": attempt + 1, "reprocess": reprocess.value}
        rows = [{**same, "place": last_place + 1 + index, **_step_row(step)} for index, step in enumerate(steps)]
        if rows:
            await self._connection.execute(_APPEND_STEPS, rows)

    async def find_backfill(self, backfill_id: UUID) -> StoredBackfill | None:
        """Return a backfill."""
        query = _backfill_query("WHERE backfill_id = :backfill_id")
        row = (await self._connection.execute(query, {"backfill_id": backfill_id})).one_or_none()
        return None if row is None else _backfill(row)

    async def find_open_by(self, requested_by: str) -> StoredBackfill | None:
        """Return the oldest open backfill that somebody asked for."""
        query = _backfill_query(
            "WHERE requested_by = :requested_by AND status IN ('active', 'paused') ORDER BY requested_at LIMIT 1"
        )
        row = (await self._connection.execute(query, {"requested_by": requested_by})).one_or_none()
        return None if row is None else _backfill(row)

    async def list_backfills(self, *, limit: int, behind: tuple[datetime, UUID] | None = None) -> list[StoredBackfill]:
        """Return backfills, the newest request first, behind a request and backfill."""
        query = _backfill_query(
            "WHERE (requested_at, backfill_id) < (coalesce(CAST(:at AS timestamptz), 'infinity'), CAST(:id AS uuid)) "
            "ORDER BY requested_at DESC, backfill_id DESC LIMIT :limit"
        )
        at, backfill_id = behind or (None, None)
        rows = await self._connection.execute(query, {"limit": limit, "at": at, "id": backfill_id})
        return [_backfill(row) for row in rows]

    async def find_oldest_active(self) -> StoredBackfill | None:
        """Return the active backfill that was asked for first."""
        row = (
            await self._connection.execute(_backfill_query("WHERE status = 'active' ORDER BY requested_at LIMIT 1"))
        ).first()
        return None if row is None else _backfill(row)

    async def set_status(self, backfill_id: UUID, status: BackfillStatus) -> None:
        """Say how a backfill stands."""
        statement = sa.text(
            "UPDATE backfills SET status = :status, "
            "finished_at = CASE WHEN :is_open THEN NULL ELSE clock_timestamp() END WHERE backfill_id = :backfill_id"
        )
        parameters = {"backfill_id": backfill_id, "status": status.value, "is_open": status.is_open}
        await self._connection.execute(statement, parameters)

    async def list_steps(self, backfill_id: UUID, *, limit: int = 10_000, after: int = -1) -> list[StoredStep]:
        """Return the steps of a backfill in their order."""
        query = sa.text(
            f"SELECT {_STEP} FROM backfill_steps WHERE backfill_id = :backfill_id AND place > :after "
            "ORDER BY place LIMIT :limit"
        )
        parameters = {"backfill_id": backfill_id, "after": after, "limit": limit}
        return [_step(row) for row in await self._connection.execute(query, parameters)]

    async def find_running_step(self) -> StoredStep | None:
        """Return the step that is in flight, of whichever backfill."""
        row = (await self._connection.execute(_step_query("WHERE status = 'running'"))).first()
        return None if row is None else _step(row)

    async def find_next_step(self, backfill_id: UUID) -> StoredStep | None:
        """Return the first queued step of a backfill."""
        query = _step_query("WHERE backfill_id = :backfill_id AND status = 'queued' ORDER BY place LIMIT 1")
        row = (await self._connection.execute(query, {"backfill_id": backfill_id})).one_or_none()
        return None if row is None else _step(row)

    async def begin_step(self, step: StoredStep, run_id: UUID) -> None:
        """Say that a step is computed by this run now."""
        statement = sa.text(
            "UPDATE backfill_steps SET status = 'running', run_id = :run_id, started_at = clock_timestamp() "
            "WHERE backfill_id = :backfill_id AND place = :place"
        )
        parameters = {"backfill_id": step.backfill_id, "place": step.place, "run_id": run_id}
        await self._connection.execute(statement, parameters)

    async def end_step(self, step: StoredStep, status: StepStatus, outcome: StepOutcome) -> None:
        """Say what came of a step."""
        statement = sa.text(
            "UPDATE backfill_steps SET status = :status, done_cells = :done, unchanged_cells = :unchanged, "
            "failed_cells = :failed, finished_at = clock_timestamp() "
            "WHERE backfill_id = :backfill_id AND place = :place"
        )
        parameters = {
            "backfill_id": step.backfill_id,
            "place": step.place,
            "status": status.value,
            "done": outcome.done,
            "unchanged": outcome.unchanged,
            "failed": outcome.failed,
        }
        await self._connection.execute(statement, parameters)

    async def requeue_step(self, step: StoredStep) -> None:
        """Say that a step that had begun is to be done from its start, when its turn comes again."""
        statement = sa.text(
            "UPDATE backfill_steps SET status = 'queued', run_id = NULL, started_at = NULL "
            "WHERE backfill_id = :backfill_id AND place = :place"
        )
        await self._connection.execute(statement, {"backfill_id": step.backfill_id, "place": step.place})

    async def cancel_queued(self, backfill_id: UUID) -> None:
        """Drop the steps that have not begun."""
        statement = sa.text(
            "UPDATE backfill_steps SET status = 'cancelled', finished_at = clock_timestamp() "
            "WHERE backfill_id = :backfill_id AND status = 'queued'"
        )
        await self._connection.execute(statement, {"backfill_id": backfill_id})

    async def count_failed_cells(self, backfill_id: UUID) -> int:
        """Return how many cells the steps of the last attempt, which took up all that was not done, could not do."""
        query = sa.text(
            "SELECT coalesce(sum(failed_cells), 0) FROM backfill_steps WHERE backfill_id = :backfill_id AND attempt = "
            "(SELECT max(attempt) FROM backfill_steps WHERE backfill_id = :backfill_id)"
        )
        return int(await self._connection.scalar(query, {"backfill_id": backfill_id}) or 0)

    async def load_rates(self, *, steps: int = 50) -> Measured:
        """Return how long the newest finished steps took."""
        row = (await self._connection.execute(_RATES, {"steps": steps})).one()
        return Measured(row.symbol_session_s, row.portfolio_session_s)


def _backfill_query(clause: str) -> Any:
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in _BACKFILL.split(", ") if name != "selection"]
    return sa.text(f"SELECT {_BACKFILL} FROM backfills {clause}").columns(*columns, sa.column("selection", JSONB))


def _backfill(row: Any) -> StoredBackfill:
    return StoredBackfill(
        row.backfill_id,
        _SELECTION.validate_python(row.selection),
        BackfillStatus(row.status),
        row.requested_by,
        row.requested_at,
        row.finished_at,
    )


def _step_query(clause: str) -> Any:
    return sa.text(f"SELECT {_STEP} FROM backfill_steps {clause}")


def _step(row: Any) -> StoredStep:
    portfolio_ids = tuple(map(str, row.portfolio_ids))
    return StoredStep(
        row.backfill_id,
        row.place,
        Reprocess(row.reprocess),
        Step(row.first_session, row.last_session, tuple(row.symbols), portfolio_ids, row.cells),
        StepStatus(row.status),
        row.run_id,
        StepOutcome(row.done_cells, row.unchanged_cells, row.failed_cells),
        row.started_at,
        row.finished_at,
    )


def _step_row(step: Step) -> dict[str, Any]:
    sessions = len(step.sessions)
    return {
        "first_session": step.first_session,
        "last_session": step.last_session,
        "symbols": list(step.symbols),
        "portfolio_ids": [UUID(portfolio_id) for portfolio_id in step.portfolio_ids],
        "cells": step.cells,
        "symbol_sessions": len(step.symbols) * sessions,
        "portfolio_sessions": len(step.portfolio_ids) * sessions,
    }
