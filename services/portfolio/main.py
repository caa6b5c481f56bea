"""The composition root of portfolio."""

from services.portfolio import subscribers
from services.portfolio.fan_out import fan_out_portfolios
from services.portfolio.web import routes
from services.portfolio.web.problems import PROBLEMS
from shared.bus.fan_in import FanIn
from shared.clock import Clock, SystemClock
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.prices.panel import PricePanel
from shared.service import Service, build_service
from shared.settings import CommonSettings


def build(common: CommonSettings, *, clock: Clock | None = None) -> Service:
    """Return portfolio, ready to run."""
    service = build_service("portfolio", common)
    panel = PricePanel(service.engine)
    inputs = FanIn(
        stage="inputs",
        streams=(PricesUpdated.topic, ProfilesUpdated.topic),
        fan_out=fan_out_portfolios,
        deadline_s=common.fan_in_deadline_s,
    )
    subscribers.register(service.consume, inputs=inputs, panel=panel)
    service.fan_ins.append(inputs)
    service.warm_up.append(panel.refresh)
    service.router = routes.build_router(service.unit_of_work, clock or SystemClock(), panel=panel)
    service.problems = PROBLEMS
    return service
