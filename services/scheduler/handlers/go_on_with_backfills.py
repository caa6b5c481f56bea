"""A run has ended: the backfill that it belongs to, or that waited for it, goes on."""

from services.scheduler.commands.advance_backfills import advance_backfills
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork


async def go_on_with_backfills(
    event: BatchCompleted,  # noqa: ARG001 - which run it was, the ledger knows
    uow: UnitOfWork,
) -> None:
    """Settle the step of the run, if it was one, and begin the next one unless something live runs."""
    await advance_backfills(uow)
