"""Keep what the ratios need of the statements, and count the part."""

from services.symbol_analytics.storage.fundamentals_repository import FundamentalsRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import FundamentalsUpdated
from shared.db.unit_of_work import UnitOfWork


async def store_fundamentals(event: FundamentalsUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store the statements; the last part of the run starts its estimates."""
    await FundamentalsRepository(uow.connection).store_statements(event.statements)

    await fan_in.arrive(event, (), uow)
