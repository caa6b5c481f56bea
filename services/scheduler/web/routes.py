"""The scheduler over HTTP: ask for a run, follow it, see what could not be processed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from services.scheduler.commands.open_run import open_run
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from services.scheduler.web.bodies import RunBody
from services.scheduler.web.views import DeadLetterView, RunSummary, RunView
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=10**9)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the scheduler's routes."""
    router = APIRouter()

    @router.post("/runs", status_code=201)
    async def request_run(body: RunBody, response: Response) -> RunSummary:
        """Open a run (201), or join the one that is under way for the same kind, session and scope (200).

        A run under way that begins at another first session than the one asked for is a conflict (409).
        """
        async with unit_of_work() as uow:
            run, is_new = await open_run(body.request(), uow, newest=clock.last_closed_session(), settings=settings)
            stored = await _get_run(SchedulerRepository(uow.connection), run.run_id)
        response.status_code = 201 if is_new else 200
        return RunSummary.of(stored)

    @router.get("/runs")
    async def list_runs(limit: Limit = 50, before: AwareDatetime | None = None) -> list[RunSummary]:
        """List runs, the newest request first; page on with the last `requested_at` as `before`."""
        async with unit_of_work.reading() as connection:
            runs = await SchedulerRepository(connection).list_runs(limit=limit, before=before)
        return [RunSummary.of(stored) for stored in runs]

    @router.get("/runs/{run_id}")
    async def get_run(run_id: UUID, failures: Limit = 200, after: Offset = 0) -> RunView:
        """Show how far a run is, stage by stage, and `failures` of what failed, without the first `after`."""
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            stored = await _get_run(repository, run_id)
            tallies = await repository.load_tallies(run_id)
            failed = await repository.list_failures(run_id, limit=failures, skip=after)
        return RunView.of(stored, tallies, failed)

    @router.get("/dead-letters")
    async def list_dead_letters(
        run_id: UUID | None = None, limit: Limit = 100, before: AwareDatetime | None = None
    ) -> list[DeadLetterView]:
        """List messages that could not be processed, the newest first; page on with `recorded_at` as `before`."""
        async with unit_of_work.reading() as connection:
            rows = await SchedulerRepository(connection).list_dead_letters(run_id=run_id, limit=limit, before=before)
        return [DeadLetterView.of(row) for row in rows]

    return router


async def _get_run(repository: SchedulerRepository, run_id: UUID) -> StoredRun:
    stored = await repository.find_run(run_id)
    if stored is None:
        raise Problem(404, f"no run {run_id}")
    return stored
