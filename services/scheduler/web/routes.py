"""The scheduler over HTTP: ask for a run, follow it, see what could not be processed."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.scheduler.commands.open_run import RunRequest, open_run
from services.scheduler.core.ledger import missing_parts
from services.scheduler.events import stage_counts
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.clock import SessionClock
from shared.contracts.event import Failure
from shared.contracts.run import SYMBOL_PATTERN, Run, RunKind
from shared.contracts.scheduler import RunStatus, StageCount
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=10**9)]


class RunBody(BaseModel):
    """A request for a run; without dates, the target session."""

    model_config = ConfigDict(extra="forbid")

    kind: RunKind = RunKind.ON_DEMAND
    first_session: date | None = None
    last_session: date | None = None
    symbols: list[Annotated[str, Field(pattern=SYMBOL_PATTERN)]] | None = Field(
        default=None, min_length=1, max_length=10_000
    )
    portfolio_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=10_000)
    requested_by: str = Field(default="api", max_length=200, pattern=r"^[^\x00]*$")


class StageFailure(Failure):
    """A failed cell and the stage that reported it."""

    stage: str


class RunView(BaseModel):
    """A run and how it stands."""

    run: Run
    status: RunStatus
    requested_at: datetime
    finished_at: datetime | None
    seconds: float | None
    stages: tuple[StageCount, ...]
    failures: list[StageFailure]
    missing: tuple[str, ...]


class RunSummary(BaseModel):
    """A run in a list."""

    run: Run
    status: RunStatus
    requested_at: datetime
    finished_at: datetime | None


class DeadLetterView(BaseModel):
    """A message that could not be processed: where it came from and why."""

    topic: str
    partition: int
    offset: int
    consumer: str
    run_id: UUID | None
    reason: str
    detail: str
    attempts: int
    recorded_at: datetime


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the scheduler's routes."""
    router = APIRouter()

    @router.post("/runs", status_code=201)
    async def request_run(body: RunBody, response: Response) -> RunSummary:
        """Open a run (201), or join the one that is under way for the same kind, session and scope (200).

        A run under way that begins at another first session than the one asked for is a conflict (409).
        """
        request = RunRequest(
            kind=body.kind,
            first_session=body.first_session,
            last_session=body.last_session,
            symbols=None if body.symbols is None else tuple(sorted(set(body.symbols))),
            portfolio_ids=None if body.portfolio_ids is None else tuple(sorted(set(body.portfolio_ids))),
            requested_by=body.requested_by,
        )
        async with unit_of_work() as uow:
            run, is_new = await open_run(request, uow, newest=clock.last_closed_session(), settings=settings)
            stored = await _get_run(SchedulerRepository(uow.connection), run.run_id)
        response.status_code = 201 if is_new else 200
        return _summary(stored)

    @router.get("/runs")
    async def list_runs(limit: Limit = 50, before: AwareDatetime | None = None) -> list[RunSummary]:
        """List runs, the newest request first; page on with the last `requested_at` as `before`."""
        async with unit_of_work.reading() as connection:
            runs = await SchedulerRepository(connection).list_runs(limit=limit, before=before)
        return [_summary(stored) for stored in runs]

    @router.get("/runs/{run_id}")
    async def get_run(run_id: UUID, failures: Limit = 200, after: Offset = 0) -> RunView:
        """Show how far a run is, stage by stage, and `failures` of what failed, without the first `after`."""
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            stored = await _get_run(repository, run_id)
            tallies = await repository.load_tallies(run_id)
            failed = await repository.list_failures(run_id, limit=failures, skip=after)
        ended = stored.finished_at
        return RunView(
            run=stored.run,
            status=stored.status,
            requested_at=stored.requested_at,
            finished_at=ended,
            seconds=None if ended is None else (ended - stored.requested_at).total_seconds(),
            stages=stage_counts(stored, tallies),
            failures=[StageFailure(stage=stage, **failure.model_dump()) for stage, failure in failed],
            missing=missing_parts(tallies),
        )

    @router.get("/dead-letters")
    async def list_dead_letters(
        run_id: UUID | None = None, limit: Limit = 100, before: AwareDatetime | None = None
    ) -> list[DeadLetterView]:
        """List messages that could not be processed, the newest first; page on with `recorded_at` as `before`."""
        async with unit_of_work.reading() as connection:
            rows = await SchedulerRepository(connection).list_dead_letters(run_id=run_id, limit=limit, before=before)
        return [
            DeadLetterView(
                topic=row.topic,
                partition=row.partition_number,
                offset=row.position,
                consumer=row.consumer,
                run_id=row.run_id,
                reason=row.reason,
                detail=row.detail,
                attempts=row.attempts,
                recorded_at=row.recorded_at,
            )
            for row in rows
        ]

    return router


async def _get_run(repository: SchedulerRepository, run_id: UUID) -> StoredRun:
    stored = await repository.find_run(run_id)
    if stored is None:
        raise Problem(404, f"no run {run_id}")
    return stored


def _summary(stored: StoredRun) -> RunSummary:
    return RunSummary(
        run=stored.run, status=stored.status, requested_at=stored.requested_at, finished_at=stored.finished_at
    )
