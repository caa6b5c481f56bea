"""The composition root of symbol_analytics."""

from functools import partial

from services.symbol_analytics import subscribers
from services.symbol_analytics.fan_out import fan_out_symbols
from services.symbol_analytics.web import routes
from shared.bus.fan_in import FanIn
from shared.clock import Clock, SystemClock
from shared.contracts.market_data import FundamentalsUpdated, PricesUpdated, ProfilesUpdated
from shared.prices.panel import PricePanel
from shared.service import Service, build_service
from shared.settings import CommonSettings, FactorSettings


def build(common: CommonSettings, settings: FactorSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return symbol_analytics, ready to run."""
    factor_set = (settings or FactorSettings()).factor_set
    service = build_service("symbol_analytics", common)
    panel = PricePanel(service.engine)
    inputs = FanIn(
        stage="inputs",
        streams=(PricesUpdated.topic, ProfilesUpdated.topic, FundamentalsUpdated.topic),
        fan_out=partial(fan_out_symbols, factor_set=factor_set),
        deadline_s=common.fan_in_deadline_s,
    )
    subscribers.register(service.consume, inputs=inputs, panel=panel, factor_set=factor_set)
    service.fan_ins.append(inputs)
    service.warm_up.append(panel.refresh)
    service.router = routes.build_router(service.unit_of_work, clock or SystemClock())
    return service
