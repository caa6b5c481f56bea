"""Ask for a stage of a night: open its run, join the one under way, or find that there is nothing to do."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from services.scheduler.commands.go_on_with_portfolios import go_on
from services.scheduler.commands.open_run import RunRequest, open_run
from services.scheduler.core.schedule import Outcome, Stage
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.schedule_repository import Fire, ScheduleRepository, StageRun
from shared.calendar import last_closed_session
from shared.contracts.run import RunKind
from shared.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Firing:
    """Who fires, and when.

    Attributes
    ----------
    fired_by : str
        The host and the process.
    """

    now: datetime
    settle_delay: timedelta
    fired_by: str
    settings: SchedulerSettings

    @property
    def newest(self) -> date:
        """The last closed session."""
        return last_closed_session(self.now, settle_delay=self.settle_delay)


async def ask_for_stage(fire: Fire, uow: UnitOfWork, firing: Firing) -> Fire:
    """Do what a claimed fire asks for, and record what came of it."""
    schedule = ScheduleRepository(uow.connection)
    await schedule.lock_night(fire.session)
    answered = (
        await _find_whole_run(fire, schedule)
        or (await _find_earlier_fire(fire, schedule) if fire.stage is Stage.PORTFOLIOS else None)
        or await _open(fire, uow, firing)
    )
    await schedule.store_answer(answered)
    if answered.outcome is not Outcome.WAITING:
        return answered
    return await go_on(answered, uow)


async def _find_whole_run(fire: Fire, schedule: ScheduleRepository) -> Fire | None:
    # A run over everything has both stages in it.
    for stage in dict.fromkeys((Stage.NIGHTLY, fire.stage)):
        run = await schedule.find_stage_run(stage, fire.session)
        if run is not None and not run.has_failed:
            return _served(fire, [run])
    return None


async def _find_earlier_fire(fire: Fire, schedule: ScheduleRepository) -> Fire | None:
    earlier = await schedule.find_asking_fire(Stage.PORTFOLIOS, fire.session)
    if earlier is None:
        return None
    if earlier.outcome is Outcome.WAITING:
        detail = f"waits with the fire of {earlier.due_at:%Y-%m-%d %H:%M}Z"
        return replace(fire, outcome=Outcome.JOINED, detail=detail, run_ids=earlier.run_ids)
    runs = await schedule.list_stage_runs(earlier.run_ids)
    return None if any(run.has_failed for run in runs) else _served(fire, runs)


def _served(fire: Fire, runs: list[StageRun]) -> Fire:
    run_ids = tuple(each.run.run_id for each in runs)
    if all(run.has_ended for run in runs):
        detail = f"the session is {', '.join(sorted({run.status.value for run in runs}))}"
        return replace(fire, outcome=Outcome.NOTHING_TO_DO, detail=detail, run_ids=run_ids)
    return replace(fire, outcome=Outcome.JOINED, detail="", run_ids=run_ids)


async def _open(fire: Fire, uow: UnitOfWork, firing: Firing) -> Fire:
    if fire.stage is not Stage.PORTFOLIOS:
        run_id, is_new = await _open_stage(fire.stage, fire, uow, firing)
        return replace(fire, outcome=Outcome.REQUESTED if is_new else Outcome.JOINED, run_ids=(run_id,))
    symbols_run = await ScheduleRepository(uow.connection).find_stage_run(Stage.SYMBOLS, fire.session)
    if symbols_run is not None:
        return replace(fire, outcome=Outcome.WAITING, waits_for=symbols_run.run.run_id, detail="for the symbols")
    run_id, _ = await _open_stage(Stage.SYMBOLS, fire, uow, firing)
    detail = "for the symbols, which nobody had asked for"
    return replace(fire, outcome=Outcome.WAITING, waits_for=run_id, detail=detail)


async def _open_stage(stage: Stage, fire: Fire, uow: UnitOfWork, firing: Firing) -> tuple[UUID, bool]:
    request = RunRequest(
        kind=RunKind.NIGHTLY,
        first_session=None,
        last_session=fire.session,
        symbols=None,
        portfolio_ids=() if stage is Stage.SYMBOLS else None,
        requested_by=fire.requested_by,
    )
    run, is_new = await open_run(request, uow, newest=firing.newest, settings=firing.settings)
    return run.run_id, is_new
