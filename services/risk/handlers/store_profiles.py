"""Keep the sectors, and count the part."""

from services.risk.storage.repository import RiskRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import ProfilesUpdated
from shared.db.unit_of_work import UnitOfWork


async def store_profiles(event: ProfilesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store what tells the sector; the last part of the run releases its books."""
    await RiskRepository(uow.connection).store_profiles(event.profiles)

    await fan_in.arrive(event, (), uow)
