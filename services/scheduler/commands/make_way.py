"""Break off the step of a backfill that is in flight, so that a live run has the machine to itself."""

from services.scheduler.commands.end_run import break_off
from services.scheduler.storage.backfill_repository import BackfillRepository
from services.scheduler.storage.repository import GIVES_WAY, SchedulerRepository
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork


async def make_way(live: Run, uow: UnitOfWork) -> None:
    """Cancel the run of the step in flight and queue the step again; what it has computed stays.

    Called in the transaction that stores the live run: a step begun at that moment is seen here, or sees the run.
    """
    if live.kind in GIVES_WAY:
        return
    backfills = BackfillRepository(uow.connection)
    await backfills.lock()
    running = await backfills.find_running_step()
    if running is None or running.run_id is None:
        return
    step_run = await SchedulerRepository(uow.connection).find_run(running.run_id, lock=True)
    # One that has ended is settled by whoever hears of it.
    if step_run is not None and step_run.status is RunStatus.ACTIVE:
        await backfills.requeue_step(running)
        await break_off(step_run, f"made way for {live.kind} run {live.run_id}", uow)
