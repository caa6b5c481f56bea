"""What symbol_analytics listens to."""

from services.symbol_analytics.events import report_failed_analysis
from services.symbol_analytics.handlers.analyse_symbols import analyse_symbols
from services.symbol_analytics.handlers.store_fundamentals import store_fundamentals
from services.symbol_analytics.handlers.store_profiles import store_profiles
from services.symbol_analytics.settings import SymbolAnalyticsSettings
from shared.bus.consume import Consume
from shared.bus.fan_in import FanIn
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.contracts.market_data import FundamentalsUpdated, PricesUpdated, ProfilesUpdated
from shared.contracts.scheduler import BatchCompleted
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel
from shared.prices.store_prices import store_prices


def register(
    consume: Consume, settings: SymbolAnalyticsSettings, *, fan_in: FanIn, panel: PricePanel, factor_set: FactorSet
) -> None:
    """Declare the consumers."""
    consume(PricesUpdated, store_prices, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(ProfilesUpdated, store_profiles, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(FundamentalsUpdated, store_fundamentals, on_failure=fan_in.arrive_failed, fan_in=fan_in)
    consume(
        SymbolAnalyticsDue,
        analyse_symbols,
        on_failure=report_failed_analysis,
        at_once=settings.factor_calc_concurrency,
        panel=panel,
        factor_set=factor_set,
    )
    consume(BatchCompleted, note_cancelled_run)
