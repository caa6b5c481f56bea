"""Run again what was run before, under a run of its own, while nothing live is under way."""

from services.scheduler.commands.open_run import open_or_join
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork


async def replay_run(run: Run, uow: UnitOfWork) -> bool:
    """Open the run unless it is known or something live is under way; tell whether it has ended."""
    repository = SchedulerRepository(uow.connection)
    await repository.lock_requests()
    known = await repository.find_run(run.run_id)
    if known is not None:
        return known.status is not RunStatus.ACTIVE
    if not await repository.has_live_run():
        await open_or_join(run, uow)
    return False
