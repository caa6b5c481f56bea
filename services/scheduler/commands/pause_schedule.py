"""Pause the schedule, and resume it; who did so and why is kept."""

from datetime import datetime

from services.scheduler.storage.schedule_repository import Pause, ScheduleRepository
from shared.db.unit_of_work import UnitOfWork


async def pause_schedule(why: str, uow: UnitOfWork, *, by: str, now: datetime) -> tuple[Pause, bool]:
    """Ask for nothing from now on; return the pause that lasts then, and whether it is new."""
    schedule = ScheduleRepository(uow.connection)
    while True:
        is_new = await schedule.store_pause(why, by=by, now=now)
        pause = await schedule.find_pause()
        if pause is not None:  # else it has ended meanwhile, and this one begins
            return pause, is_new


async def resume_schedule(uow: UnitOfWork, *, by: str, now: datetime) -> Pause | None:
    """Ask again from now on, for what falls due; return the pause that has ended, if one lasted."""
    return await ScheduleRepository(uow.connection).end_pause(by=by, now=now)
