"""What portfolio listens to."""

from services.portfolio.events import report_failed_valuation
from services.portfolio.handlers.close_calculation import close_calculation
from services.portfolio.handlers.store_prices import store_prices
from services.portfolio.handlers.store_profiles import store_profiles
from services.portfolio.handlers.value_portfolios import value_portfolios
from services.portfolio.settings import PortfolioSettings
from services.portfolio.storage.position_shelf import PositionShelf
from shared.bus.consume import Consume
from shared.bus.fan_in import FanIn
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.portfolio import PortfolioDue
from shared.contracts.scheduler import BatchCompleted
from shared.prices.panel import PricePanel


def register(consume: Consume, settings: PortfolioSettings, *, fan_in: FanIn, panel: PricePanel) -> None:
    """Declare the consumers."""
    consume(PricesUpdated, store_prices, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(ProfilesUpdated, store_profiles, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(
        PortfolioDue,
        value_portfolios,
        on_failure=report_failed_valuation,
        at_once=settings.portfolio_refresh_concurrency,
        panel=panel,
        shelf=PositionShelf(),
    )
    consume(BatchCompleted, close_calculation)
    consume(BatchCompleted, note_cancelled_run)
