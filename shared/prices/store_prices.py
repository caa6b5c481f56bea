"""The handler of `prices.updated` in the services whose results rest on windows of prices."""

from shared.bus.fan_in import FanIn
from shared.contracts.market_data import PricesUpdated
from shared.db.unit_of_work import UnitOfWork
from shared.prices.corrections import store_corrections
from shared.prices.held import store_held
from shared.prices.store import store_bars


async def store_prices(event: PricesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store the bars, what is corrected and what is held; the last part of the run starts the service's work."""
    await store_bars(uow.connection, event)
    await store_corrections(uow.connection, event)
    await store_held(uow.connection, event)

    await fan_in.arrive(event, event.symbols, uow)
