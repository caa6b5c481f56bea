"""Keep the replica of prices, remember what has changed under existing snapshots, and count the part."""

from services.portfolio.storage.rate_repository import RateRepository
from services.portfolio.storage.repository import PortfolioRepository
from shared.bus.fan_in import FanIn
from shared.contracts.market_data import PricesUpdated
from shared.db.unit_of_work import UnitOfWork
from shared.prices.store import store_bars


async def store_prices(event: PricesUpdated, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store the bars and the risk-free rates; the last part of the run starts its valuations."""
    if await store_bars(uow.connection, event):
        await PortfolioRepository(uow.connection).store_price_changes()
    await RateRepository(uow.connection).store_rates({rate.day: rate.rate for rate in event.risk_free_rates})

    await fan_in.arrive(event, event.symbols, uow)
