"""Fire the night, or one of its stages, by hand."""

from dataclasses import replace

from services.scheduler.commands.ask_for_stage import Firing, ask_for_stage
from services.scheduler.commands.go_on_with_portfolios import ask_again
from services.scheduler.core.schedule import Outcome, Stage, is_closed_day
from services.scheduler.storage.schedule_repository import Fire, ScheduleRepository, fire_id_of
from shared.db.unit_of_work import UnitOfWork


async def trigger_night(stage: Stage, uow: UnitOfWork, firing: Firing, *, asked_by: str) -> list[Fire]:
    """Ask for the target session, paused or not; a night in two stages is both of them.

    What the schedule, another process or another cron has asked for already is joined.
    """
    two_stages = stage is Stage.NIGHTLY and firing.settings.batch_v2_enabled
    stages = (Stage.SYMBOLS, Stage.PORTFOLIOS) if two_stages else (stage,)
    return [await _trigger(each, uow, firing, asked_by) for each in stages]


async def _trigger(stage: Stage, uow: UnitOfWork, firing: Firing, asked_by: str) -> Fire:
    schedule = ScheduleRepository(uow.connection)
    await schedule.lock_night(firing.newest)
    for waiting in await schedule.lock_waiting_fires():
        if (waiting.stage, waiting.session) == (stage, firing.newest):
            return await ask_again(waiting, uow)
    fire = Fire(
        fire_id=fire_id_of(stage, firing.now),
        stage=stage,
        due_at=firing.now,
        session=firing.newest,
        outcome=Outcome.REQUESTED,
        detail="",
        run_ids=(),
        waits_for=None,
        asked_by=asked_by,
        fired_by=firing.fired_by,
        fired_at=firing.now,
    )
    if not await schedule.append_fire(fire):
        return await schedule.find_fire(fire.fire_id) or fire
    answered = await ask_for_stage(fire, uow, firing)
    if answered.outcome is not Outcome.NOTHING_TO_DO or not is_closed_day(firing.now):
        return answered
    closed = replace(answered, outcome=Outcome.CLOSED_DAY, run_ids=())
    await schedule.store_answer(closed)
    return closed
