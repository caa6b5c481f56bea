"""Backfills over HTTP: planned, begun, followed, paused, cancelled, and their failed cells tried again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.scheduler.commands.change_backfill import (
    cancel_backfill,
    pause_backfill,
    resume_backfill,
    retry_failed_cells,
)
from services.scheduler.commands.errors import UnknownBackfill
from services.scheduler.commands.plan_backfill import plan_backfill, rates_of
from services.scheduler.commands.start_backfill import BackfillRequest, start_backfill
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository
from services.scheduler.web.bodies import SelectionBody
from services.scheduler.web.views import BackfillView, PlanView, ProgressView, RetryView, StepOutcomeView
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.idempotency import IdempotencyKey
from shared.openapi import or_found, refused
from shared.pages import Page, Paging, Place, paged
from shared.paths import API
from shared.selection import Instant

Shown = Annotated[int, Query(ge=1, le=1000, description="steps to show")]
Backfills = Annotated[Paging, paged(50, most=1000)]
Steps = Annotated[Paging, paged(1000, most=1000)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the routes of backfills."""
    router = APIRouter()
    _add_requests(router, unit_of_work, clock, settings)
    _add_reads(router, unit_of_work)
    _add_changes(router, unit_of_work, settings)
    return router


def _add_requests(
    router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings
) -> None:
    @router.post("/backfills/plan")
    async def plan(body: SelectionBody, shown: Shown = 50) -> PlanView:
        """Show which cells a backfill would compute, in which steps, and how long it would take; begin nothing."""
        async with unit_of_work.reading() as connection:
            return PlanView.of(await plan_backfill(body.selection(clock), connection, settings=settings), shown)

    @router.post("/backfills", status_code=201, responses=refused(409) | or_found(BackfillView))
    async def start(body: SelectionBody, response: Response, idempotency_key: IdempotencyKey = None) -> BackfillView:
        """Begin a backfill (201), or show the one that was begun with the same key (200)."""
        request = BackfillRequest(body.selection(clock), body.requested_by, idempotency_key)
        async with unit_of_work() as uow:
            backfill_id, is_new = await start_backfill(request, uow, settings=settings)
            view = await _view(BackfillRepository(uow.connection), backfill_id)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"{API}/backfills/{backfill_id}"
        return view


def _add_reads(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/backfills")
    async def list_backfills(paging: Backfills) -> Page[BackfillView]:
        """List backfills, the newest request first."""
        behind = paging.after(tuple[Instant, UUID])
        async with unit_of_work.reading() as connection:
            repository = BackfillRepository(connection)
            found = await repository.list_backfills(limit=paging.wanted, behind=behind)
            page, following = paging.cut(found, lambda stored: (stored.requested_at, stored.backfill_id))
            items = [await _view(repository, stored.backfill_id) for stored in page]
        return Page(items=items, next=following)

    @router.get("/backfills/{backfill_id}", responses=refused(404))
    async def get_backfill(backfill_id: UUID) -> BackfillView:
        """Show how far a backfill is."""
        async with unit_of_work.reading() as connection:
            return await _view(BackfillRepository(connection), backfill_id)

    @router.get("/backfills/{backfill_id}/steps", responses=refused(404))
    async def list_steps(backfill_id: UUID, paging: Steps) -> Page[StepOutcomeView]:
        """List the steps of a backfill in their order."""
        (after,) = paging.after(tuple[Place]) or (-1,)
        async with unit_of_work.reading() as connection:
            repository = BackfillRepository(connection)
            if await repository.find_backfill(backfill_id) is None:
                raise UnknownBackfill(backfill_id)
            steps = await repository.list_steps(backfill_id, after=after, limit=paging.wanted)
        return paging.page(steps, StepOutcomeView.of_stored, lambda stored: (stored.place,))


def _add_changes(router: APIRouter, unit_of_work: UnitOfWorkFactory, settings: SchedulerSettings) -> None:
    @router.post("/backfills/{backfill_id}/pause", responses=refused(404, 409))
    async def pause(backfill_id: UUID) -> BackfillView:
        """Begin no more steps; the one in flight ends."""
        async with unit_of_work() as uow:
            await pause_backfill(backfill_id, uow)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/resume", responses=refused(404, 409))
    async def resume(backfill_id: UUID) -> BackfillView:
        """Go on where it was paused."""
        async with unit_of_work() as uow:
            await resume_backfill(backfill_id, uow)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/cancel", responses=refused(404, 409))
    async def cancel(backfill_id: UUID) -> BackfillView:
        """Drop what is queued and cancel the run in flight; cells that are done stay done."""
        async with unit_of_work() as uow:
            await cancel_backfill(backfill_id, uow)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/retry-failed", responses=refused(404, 409))
    async def retry_failed(backfill_id: UUID) -> RetryView:
        """Queue the cells of its selection that are not done."""
        async with unit_of_work() as uow:
            cells = await retry_failed_cells(backfill_id, uow, settings=settings)
        return RetryView(backfill_id=backfill_id, cells=cells)


async def _view(repository: BackfillRepository, backfill_id: UUID) -> BackfillView:
    stored = await repository.find_backfill(backfill_id)
    if stored is None:
        raise UnknownBackfill(backfill_id)
    steps = await repository.list_steps(backfill_id)
    return BackfillView.of(stored, ProgressView.of(stored, steps, rates_of(await repository.load_rates())))
