"""Keep the replica of prices, and count the part."""

from shared.bus.fan_in import FanIn
from shared.contracts.market_data import PricesUpdated
from shared.db.unit_of_work import UnitOfWork
from shared.prices.store import store_bars


async def store_prices(event: PricesUpdated, uow: UnitOfWork, *, inputs: FanIn) -> None:
    """Store the bars; the last part of the run releases its books."""
    await store_bars(uow.connection, event)

    await inputs.arrive(event, (), uow)
