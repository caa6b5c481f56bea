"""The scheduler over HTTP: ask for a run, and follow it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.scheduler.commands.cancel_run import cancel_run
from services.scheduler.commands.find_causes import find_causes
from services.scheduler.commands.request_run import request_run
from services.scheduler.commands.retry_run import retry_run
from services.scheduler.core.ledger import missing_parts
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.storage.repository import RunFilter, SchedulerRepository, StoredRun
from services.scheduler.web.bodies import RequestBody, RunBody
from services.scheduler.web.views import CauseView, RunSummary, RunView
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.idempotency import IdempotencyKey
from shared.openapi import or_found, refused
from shared.pages import Page, Paging, Place, paged
from shared.paths import API
from shared.problems import Problem
from shared.selection import Instant

Limit = Annotated[int, Query(ge=1, le=1000)]
Runs = Annotated[Paging, paged(50, most=1000)]
Causes = Annotated[Paging, paged(100, most=1000)]
Offset = Annotated[int, Query(ge=0, le=10**9)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the scheduler's routes."""
    router = APIRouter()
    _add_requests(router, unit_of_work, clock, settings)
    _add_reads(router, unit_of_work)
    return router


def _add_requests(
    router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings
) -> None:
    @router.post("/runs", status_code=201, responses=refused(409) | or_found(RunSummary))
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
        response.headers["Location"] = f"{API}/runs/{run_id}"
        return RunSummary.of(stored)

    @router.post("/runs/{run_id}/retry-failed", status_code=201, responses=refused(404, 409) | or_found(RunSummary))
    async def retry_failed(
        run_id: UUID, body: RequestBody, response: Response, idempotency_key: IdempotencyKey = None
    ) -> RunSummary:
        """Open one run over what a run that has ended did not do (201), or show the same one under way (200).

        Over the symbols and portfolios that failed or never came and have not been done since, and the portfolios that
        hold those symbols, from the first session to the last at which they did. Where all is done, it is a conflict
        (409), as where another run is in the way.
        """
        async with unit_of_work() as uow:
            retry_id, is_new = await retry_run(run_id, uow, requested_by=body.requested_by, key=idempotency_key)
            stored = await _get_run(SchedulerRepository(uow.connection), retry_id)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"{API}/runs/{retry_id}"
        return RunSummary.of(stored)

    @router.post("/runs/{run_id}/cancel", responses=refused(404, 409))
    async def cancel(run_id: UUID, body: RequestBody) -> RunSummary:
        """End a run at once; what it has computed stays, what has not begun is dropped."""
        async with unit_of_work() as uow:
            await cancel_run(run_id, uow, requested_by=body.requested_by)
            return RunSummary.of(await _get_run(SchedulerRepository(uow.connection), run_id))


def _add_reads(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/runs")
    async def list_runs(only: Annotated[RunFilter, made(RunFilter)], paging: Runs) -> Page[RunSummary]:
        """List runs, the newest request first.

        Of one kind, in one status, over a session, asked for before an instant where these are given.
        """
        behind = paging.after(tuple[Instant, UUID])
        async with unit_of_work.reading() as connection:
            runs = await SchedulerRepository(connection).list_runs(only, limit=paging.wanted, behind=behind)
        return paging.page(runs, RunSummary.of, lambda stored: (stored.requested_at, stored.run.run_id))

    @router.get("/runs/{run_id}", responses=refused(404))
    async def get_run(run_id: UUID, failures: Limit = 200, after: Offset = 0) -> RunView:
        """Show how far a run is, stage by stage, and `failures` of what failed, without the first `after`."""
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            stored = await _get_run(repository, run_id)
            tallies = await repository.load_tallies(run_id)
            missing = missing_parts(tallies, await repository.load_arrived(run_id))
            failed = await repository.list_failures(run_id, limit=failures, skip=after)
            pace = await LogRepository(connection).find_pace(run_id) if stored.finished_at is None else None
        return RunView.of(stored, tallies, missing, failed, pace)

    @router.get("/runs/{run_id}/causes", responses=refused(404))
    async def list_causes(run_id: UUID, paging: Causes) -> Page[CauseView]:
        """List why the run could not serve what it could not, the cause of the most subjects first.

        What failed for one reason is one entry, with the later stages and the portfolios that it was missing in.
        """
        (after,) = paging.after(tuple[Place]) or (-1,)
        async with unit_of_work.reading() as connection:
            found = await find_causes(run_id, connection)
        behind = [(place, cause) for place, cause in enumerate(found.causes) if place > after]
        return paging.page(behind, lambda each: CauseView.of(each[1], found.names), lambda each: each[:1])


async def _get_run(repository: SchedulerRepository, run_id: UUID) -> StoredRun:
    stored = await repository.find_run(run_id)
    if stored is None:
        raise Problem(404, f"no run {run_id}")
    return stored
