"""A run has ended: the letters that it made good are settled, and those that waited for it go on."""

from services.scheduler.commands.advance_redrives import advance_redrives
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork


async def go_on_with_redrives(
    event: BatchCompleted,  # noqa: ARG001 - which run it was, the ledger knows
    uow: UnitOfWork,
) -> None:
    """Settle the letters of the run, and do what is to be done next."""
    await advance_redrives(uow)
