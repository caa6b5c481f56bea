"""Cancel a run: it is over at once, and shards of it that have not begun are dropped where they wait."""

from uuid import UUID

from services.scheduler.commands.end_run import break_off
from services.scheduler.commands.errors import RunEnded, UnknownRun
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork


async def cancel_run(run_id: UUID, uow: UnitOfWork, *, requested_by: str) -> None:
    """End an active run and announce it.

    Raises
    ------
    UnknownRun, RunEnded
        If there is nothing to cancel.
    """
    repository = SchedulerRepository(uow.connection)
    stored = await repository.find_run(run_id, lock=True)
    if stored is None:
        raise UnknownRun(run_id)
    if stored.status is not RunStatus.ACTIVE:
        raise RunEnded(run_id, stored.status)
    await break_off(stored, f"cancelled by {requested_by}", uow)
