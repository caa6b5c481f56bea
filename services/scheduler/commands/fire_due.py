"""Fire what is due and has not been fired: by this process or, when it was down, by whichever is up."""

from services.scheduler.commands.ask_for_stage import Firing, ask_for_stage
from services.scheduler.core.schedule import Outcome, Planned, Trigger, due_between, plan
from services.scheduler.storage.schedule_repository import Fire, ScheduleRepository, fire_id_of
from shared.db.unit_of_work import UnitOfWork


async def fire_due(trigger: Trigger, uow: UnitOfWork, firing: Firing) -> list[Fire]:
    """Answer every due time of a trigger up to now; return what was fired here.

    The row of a due time is the guard: it is inserted in the transaction of the runs that it asks for, so of several
    schedulers one fires, and what a dying one did not commit is still due.
    """
    schedule = ScheduleRepository(uow.connection)
    answered_until = await schedule.load_answered_until(trigger, now=firing.now)
    due = due_between(trigger, answered_until, firing.now, settle_delay=firing.settle_delay)

    fired = []
    for planned in plan(due, paused=await _why_paused(schedule, firing) if due else None):
        fire = _fire(planned, firing)
        if await schedule.append_fire(fire):
            fired.append(await ask_for_stage(fire, uow, firing) if planned.outcome is None else fire)
    return fired


async def _why_paused(schedule: ScheduleRepository, firing: Firing) -> str | None:
    if not firing.settings.batch_processing_enabled:
        return "BATCH_PROCESSING_ENABLED is false"
    pause = await schedule.find_pause()
    return None if pause is None else f"by {pause.paused_by}: {pause.why}"


def _fire(planned: Planned, firing: Firing) -> Fire:
    due = planned.due
    return Fire(
        fire_id=fire_id_of(due.stage, due.due_at),
        stage=due.stage,
        due_at=due.due_at,
        session=due.session,
        outcome=planned.outcome or Outcome.REQUESTED,
        detail=planned.detail,
        run_ids=(),
        waits_for=None,
        asked_by=None,
        fired_by=firing.fired_by,
        fired_at=firing.now,
    )
