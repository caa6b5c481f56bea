"""The composition root of market_data."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from services.market_data import subscribers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.fmp import FmpProvider
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import Closing, Kind, Provider
from services.market_data.providers.sample import SampleProvider
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.providers.yahoo import YahooProvider
from services.market_data.settings import MarketDataSettings
from services.market_data.web import routes
from services.market_data.web.problems import PROBLEMS
from shared.clock import Clock, SessionClock, SystemClock
from shared.metrics.service_metrics import ServiceMetrics
from shared.providers import ProviderName
from shared.service import Service, build_service
from shared.settings import CommonSettings

log = structlog.get_logger("market_data")

# name -> how the provider is built
PROVIDERS: Final[Mapping[ProviderName, Callable[[MarketDataSettings], Provider]]] = MappingProxyType(
    {
        "files": lambda settings: FilesProvider(settings.directory_of_files()),
        "sample": lambda _: SampleProvider(),
        "fmp": lambda settings: FmpProvider(settings.access("fmp")),
        "massive": lambda settings: MassiveProvider(settings.access("massive")),
        "tiingo": lambda settings: TiingoProvider(settings.access("tiingo")),
        "yahoo": lambda settings: YahooProvider(settings.access("yahoo")),
    }
)


def build(common: CommonSettings, settings: MarketDataSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return market_data, ready to run."""
    own = settings or MarketDataSettings()
    time = SessionClock(clock or SystemClock(), common.settle_delay)
    service = build_service("market_data", common)
    providers = build_providers(own)
    chain = build_chain(own, providers, service.metrics)
    subscribers.register(service.consume, common, own, chain=chain, clock=time)
    service.router = routes.build_router(service.unit_of_work, time, chain)
    service.problems = PROBLEMS
    service.released += [each.close for each in providers if isinstance(each, Closing)]
    return service


def build_providers(settings: MarketDataSettings) -> list[Provider]:
    """Return the providers in the configured order; one without its key is left out."""
    for name, variable in settings.without_key.items():
        log.warning("provider left out", provider=name, missing=variable)
    return [PROVIDERS[name](settings) for name in settings.askable]


def build_chain(settings: MarketDataSettings, providers: Sequence[Provider], metrics: ServiceMetrics) -> ProviderChain:
    """Return the chain of the providers, each kind in its own order."""
    orders = {Kind.BARS: settings.bars, Kind.PROFILES: settings.profiles, Kind.STATEMENTS: settings.statements}
    if settings.skip_phase0_valuations:
        orders[Kind.PROFILES] = ()
    given = {kind: order for kind, order in orders.items() if order is not None}
    return ProviderChain(providers, order=given, metrics=metrics)
