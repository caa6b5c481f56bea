"""Keep what a book needs of the profiles, and count the part."""

from services.portfolio.storage.repository import PortfolioRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import ProfilesUpdated
from shared.db.unit_of_work import UnitOfWork


async def store_profiles(event: ProfilesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store sectors and currencies; the last part of the run starts its valuations."""
    await PortfolioRepository(uow.connection).store_profiles(event.profiles)

    await fan_in.arrive(event, (), uow)
