"""The composition root of risk."""

from functools import partial

from services.risk import subscribers
from services.risk.fan_out import fan_out_books
from services.risk.settings import RiskSettings
from services.risk.storage.gauges import read_staleness
from services.risk.web import routes
from shared.clock import Clock, SessionClock, SystemClock
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.price_service import build_price_service
from shared.service import Service
from shared.settings import CommonSettings


def build(common: CommonSettings, settings: RiskSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return risk, ready to run."""
    service, fan_in, panel = build_price_service(
        "risk",
        common,
        streams=(PricesUpdated, ProfilesUpdated, SymbolsFactored),
        fan_out=partial(fan_out_books, factor_set=common.factor_set),
        deadline_s=common.symbol_batch_timeout_seconds,
    )
    own = settings or RiskSettings()
    subscribers.register(service.consume, own, fan_in=fan_in, panel=panel, factor_set=common.factor_set)
    time = clock or SystemClock()
    service.router = routes.build_router(
        service.unit_of_work, time, panel=panel, factor_set=common.factor_set, rate=own.rate
    )
    service.gauges.append(partial(read_staleness, clock=SessionClock(time, common.settle_delay)))
    return service
