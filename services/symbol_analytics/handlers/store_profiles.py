"""Keep what the numbers need of the profiles, and count the part."""

from services.symbol_analytics.storage.fundamentals_repository import FundamentalsRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import ProfilesUpdated
from shared.db.unit_of_work import UnitOfWork


async def store_profiles(event: ProfilesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store currencies and figures; the last part of the run starts its estimates."""
    await FundamentalsRepository(uow.connection).store_profiles(event.profiles)

    await fan_in.arrive(event, (), uow)
