"""Take no more work of a run that was cancelled."""

from shared.bus.cancelled_runs import append_cancelled
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork


async def note_cancelled_run(event: BatchCompleted, uow: UnitOfWork) -> None:
    """Remember the run, if it was cancelled: what of its work waits is dropped when its turn comes."""
    if event.cancelled:
        await append_cancelled(uow.connection, event.run.run_id)
