"""The composition root of risk."""

from functools import partial

from services.risk import subscribers
from services.risk.fan_out import fan_out_books
from services.risk.web import routes
from shared.bus.fan_in import FanIn
from shared.clock import Clock, SystemClock
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.prices.panel import PricePanel
from shared.service import Service, build_service
from shared.settings import CommonSettings, FactorSettings


def build(common: CommonSettings, settings: FactorSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return risk, ready to run."""
    factor_set = (settings or FactorSettings()).factor_set
    service = build_service("risk", common)
    panel = PricePanel(service.engine)
    inputs = FanIn(
        stage="inputs",
        streams=(PricesUpdated.topic, ProfilesUpdated.topic, SymbolsFactored.topic),
        fan_out=partial(fan_out_books, factor_set=factor_set),
        deadline_s=common.fan_in_deadline_s,
    )
    subscribers.register(service.consume, inputs=inputs, panel=panel, factor_set=factor_set)
    service.fan_ins.append(inputs)
    service.warm_up.append(panel.refresh)
    service.router = routes.build_router(
        service.unit_of_work, clock or SystemClock(), panel=panel, factor_set=factor_set
    )
    return service
