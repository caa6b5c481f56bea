"""Remember that a requested run has ended, so that the next request opens a new one."""

from services.portfolio.storage.repository import PortfolioRepository
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork


async def close_calculation(event: BatchCompleted, uow: UnitOfWork) -> None:
    """Close the calculation of this run, if it was asked for here."""
    await PortfolioRepository(uow.connection).close_calculation(event.run.run_id)
