"""Cancel a run: it is over at once, and shards of it that have not begun are dropped where they wait."""

from uuid import UUID

from services.scheduler.commands.errors import RunEnded, UnknownRun
from services.scheduler.events import batch_completed
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.event import Failure
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
    tallies = await repository.load_tallies(run_id)

    why = f"cancelled by {requested_by}"
    await repository.finish_run(run_id, RunStatus.CANCELLED, why=why)

    failure = Failure(subject=str(run_id), reason="CANCELLED", detail=why)
    uow.emit(await batch_completed(stored, RunStatus.CANCELLED, tallies, repository, overdue=[failure]))
