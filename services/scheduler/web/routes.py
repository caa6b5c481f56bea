"""The scheduler over HTTP: ask for a run, follow it, see what could not be processed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from services.scheduler.commands.request_run import request_run
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from services.scheduler.web.bodies import IdempotencyKey, RunBody
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
    async def open_run(body: RunBody, response: Response, idempotency_key: IdempotencyKey = None) -> RunSummary:
        """Open a run (201), or show the one that is under way for the same kind, sessions and scope (200).

        Portfolios without symbols cost what their symbols cost; those that nobody knows are refused (422). A run under
        way of the same kind that is not the same, but would compute some of the same cells, is a conflict (409) and
        named by its `run_id`; nights and backfills are in nobody's way.
        """
        newest = clock.last_closed_session()
        async with unit_of_work() as uow:
            run_id, is_new = await request_run(
                body.request(), uow, newest=newest, settings=settings, key=idempotency_key
            )
            stored = await _get_run(SchedulerRepository(uow.connection), run_id)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/runs/{run_id}"
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
