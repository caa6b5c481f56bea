"""The composition root of symbol_analytics."""

from functools import partial
from typing import Final

from services.symbol_analytics import subscribers
from services.symbol_analytics.fan_out import fan_out_symbols
from services.symbol_analytics.settings import SymbolAnalyticsSettings
from services.symbol_analytics.web import routes
from shared.clock import Clock, SystemClock
from shared.contracts.market_data import FundamentalsUpdated, PricesUpdated, ProfilesUpdated
from shared.price_service import build_price_service
from shared.service import Service
from shared.settings import CommonSettings

# Of the time for symbols, how much may pass until their inputs are in: the work on them belongs to it, too.
INPUTS_SHARE: Final = 0.6


def build(
    common: CommonSettings, settings: SymbolAnalyticsSettings | None = None, *, clock: Clock | None = None
) -> Service:
    """Return symbol_analytics, ready to run."""
    service, fan_in, panel = build_price_service(
        "symbol_analytics",
        common,
        streams=(PricesUpdated, ProfilesUpdated, FundamentalsUpdated),
        fan_out=partial(fan_out_symbols, factor_set=common.factor_set),
        deadline_s=common.symbol_batch_timeout_seconds * INPUTS_SHARE,
    )
    own = settings or SymbolAnalyticsSettings()
    subscribers.register(service.consume, own, fan_in=fan_in, panel=panel, factor_set=common.factor_set)
    service.router = routes.build_router(service.unit_of_work, clock or SystemClock())
    return service
