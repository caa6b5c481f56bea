"""The schedule over HTTP: what is next, what came of the last, pause and resume, fire by hand."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.scheduler.commands.ask_for_stage import Firing
from services.scheduler.commands.pause_schedule import pause_schedule, resume_schedule
from services.scheduler.commands.trigger_night import trigger_night
from services.scheduler.core.schedule import Stage, next_due
from services.scheduler.storage.schedule_repository import ScheduleRepository
from services.scheduler.web.bodies import ReasonBody, RequestBody
from services.scheduler.web.views import DueView, FireView, PauseView, ScheduleView, TriggerView
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.pages import Page, Paging, Text, paged
from shared.problems import Problem
from shared.selection import Instant

FiringNow = Callable[[], Firing]
Shown = Annotated[int, Query(ge=1, le=1000, description="times to come, and fires that were last, to show")]
Listed = Annotated[Paging, paged(50, most=1000)]


def build_router(unit_of_work: UnitOfWorkFactory, firing: FiringNow) -> APIRouter:
    """Return the routes of the schedule."""
    router = APIRouter(prefix="/schedule")
    _add_reading(router, unit_of_work, firing)
    _add_acting(router, unit_of_work, firing)
    return router


def _add_reading(router: APIRouter, unit_of_work: UnitOfWorkFactory, firing: FiringNow) -> None:
    @router.get("")
    async def get_schedule(limit: Shown = 10) -> ScheduleView:
        """Show the triggers, the next times of all of them, and what came of the last."""
        moment = firing()
        triggers = moment.settings.triggers()
        async with unit_of_work.reading() as connection:
            schedule = ScheduleRepository(connection)
            pause = await schedule.find_pause()
            last = await schedule.list_fires(limit=limit)
        active = moment.settings.batch_processing_enabled and pause is None
        coming = next_due(triggers, moment.now, limit, settle_delay=moment.settle_delay)
        return ScheduleView(
            enabled=moment.settings.batch_processing_enabled,
            pause=None if pause is None else PauseView.of(pause),
            triggers=[TriggerView(stage=each.stage, crontab=each.crontab, zone=each.zone) for each in triggers],
            next=[DueView.of(due, active=active) for due in coming],
            last=[FireView.of(fire) for fire in last],
        )

    @router.get("/fires")
    async def list_fires(paging: Listed) -> Page[FireView]:
        """List what fired and what came of it, the newest due time first."""
        behind = paging.after(tuple[Instant, Text])
        async with unit_of_work.reading() as connection:
            fires = await ScheduleRepository(connection).list_fires(limit=paging.wanted, behind=behind)
        return paging.page(fires, FireView.of, lambda fire: (fire.due_at, fire.stage.value))

    @router.get("/fires/{fire_id}", responses=refused(404))
    async def get_fire(fire_id: UUID) -> FireView:
        """Show what came of one; while it is waiting, runs may still be added."""
        async with unit_of_work.reading() as connection:
            fire = await ScheduleRepository(connection).find_fire(fire_id)
        if fire is None:
            raise Problem(404, f"no fire {fire_id}")
        return FireView.of(fire)

    @router.get("/pauses")
    async def list_pauses(paging: Listed) -> Page[PauseView]:
        """List who paused the schedule, why, and who resumed it, the newest first."""
        (before,) = paging.after(tuple[Instant]) or (None,)
        async with unit_of_work.reading() as connection:
            pauses = await ScheduleRepository(connection).list_pauses(limit=paging.wanted, before=before)
        return paging.page(pauses, PauseView.of, lambda pause: (pause.paused_at,))


def _add_acting(router: APIRouter, unit_of_work: UnitOfWorkFactory, firing: FiringNow) -> None:
    @router.post("/pause")
    async def pause(body: ReasonBody) -> PauseView:
        """Ask for nothing until resumed, and make up for nothing afterwards; a pause that lasts is left as it is."""
        async with unit_of_work() as uow:
            lasting, _ = await pause_schedule(body.why, uow, by=body.requested_by, now=firing().now)
        return PauseView.of(lasting)

    @router.post("/resume")
    async def resume(body: RequestBody) -> PauseView | None:
        """Ask again from now on; return the pause that has ended, null if none lasted."""
        async with unit_of_work() as uow:
            ended = await resume_schedule(uow, by=body.requested_by, now=firing().now)
        return None if ended is None else PauseView.of(ended)

    @router.post("/triggers/{stage}")
    async def trigger(stage: Stage, body: RequestBody) -> list[FireView]:
        """Fire by hand, paused or not: `nightly` is the whole night, with two stages both of them, in their order."""
        async with unit_of_work() as uow:
            fires = await trigger_night(stage, uow, firing(), asked_by=body.requested_by)
        return [FireView.of(fire) for fire in fires]
