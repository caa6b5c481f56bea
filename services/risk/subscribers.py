"""What risk listens to."""

from services.risk.events import report_failed_assessment, report_failed_books
from services.risk.handlers.assess_portfolios import assess_portfolios
from services.risk.handlers.store_betas import store_betas
from services.risk.handlers.store_books import store_books
from services.risk.handlers.store_owner import store_owner
from services.risk.handlers.store_profiles import store_profiles
from services.risk.settings import RiskSettings
from shared.bus.consume import Consume
from shared.bus.fan_in import FanIn
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.portfolio import PortfoliosValued, SymbolsOnboarding
from shared.contracts.risk import RiskDue
from shared.contracts.scheduler import BatchCompleted
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel
from shared.prices.store_prices import store_prices


def register(
    consume: Consume, settings: RiskSettings, *, fan_in: FanIn, panel: PricePanel, factor_set: FactorSet
) -> None:
    """Declare the consumers."""
    consume(PricesUpdated, store_prices, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(ProfilesUpdated, store_profiles, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(SymbolsFactored, store_betas, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(PortfoliosValued, store_books, on_failure=report_failed_books, fan_in=fan_in)
    consume(
        RiskDue,
        assess_portfolios,
        on_failure=report_failed_assessment,
        at_once=settings.max_portfolio_concurrency,
        panel=panel,
        factor_set=factor_set,
        rate=settings.rate,
    )
    consume(SymbolsOnboarding, store_owner)
    consume(BatchCompleted, note_cancelled_run)
