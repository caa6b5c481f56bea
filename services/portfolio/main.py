"""The composition root of portfolio."""

from functools import partial

from services.portfolio import subscribers
from services.portfolio.commands.check_room import Room
from services.portfolio.fan_out import fan_out_portfolios
from services.portfolio.settings import PortfolioSettings
from services.portfolio.storage.gauges import read_staleness
from services.portfolio.web import routes
from services.portfolio.web.problems import PROBLEMS
from shared.clock import Clock, SessionClock, SystemClock
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.price_service import build_price_service
from shared.service import Service
from shared.settings import CommonSettings


def build(common: CommonSettings, settings: PortfolioSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return portfolio, ready to run."""
    service, fan_in, panel = build_price_service(
        "portfolio",
        common,
        streams=(PricesUpdated, ProfilesUpdated),
        fan_out=fan_out_portfolios,
        deadline_s=common.symbol_batch_timeout_seconds,
    )
    own = settings or PortfolioSettings()
    subscribers.register(service.consume, own, fan_in=fan_in, panel=panel)
    time = SessionClock(clock or SystemClock(), common.settle_delay)
    room = Room(common.symbol_onboarding_concurrency + own.symbol_onboarding_max_queue, common.longest_run)
    service.router = routes.build_router(service.unit_of_work, time, panel=panel, room=room)
    service.problems = PROBLEMS
    service.gauges.append(partial(read_staleness, clock=time))
    return service
