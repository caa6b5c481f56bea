"""Keep the sectors and what indices are made of, and count the part."""

from services.risk.storage.repository import RiskRepository
from services.risk.storage.universe_repository import UniverseRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import ProfilesUpdated
from shared.db.unit_of_work import UnitOfWork


async def store_profiles(event: ProfilesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store what tells the sector, and lists of constituents; the last part of the run releases its books."""
    await RiskRepository(uow.connection).store_profiles(event.profiles)
    await UniverseRepository(uow.connection).store_constituents(event.constituents)

    await fan_in.arrive(event, (), uow)
