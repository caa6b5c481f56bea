"""The composition root of market_data."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from services.market_data import subscribers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import Kind, Provider
from services.market_data.providers.sample import SampleProvider
from services.market_data.settings import MarketDataSettings
from services.market_data.web import routes
from services.market_data.web.problems import PROBLEMS
from shared.clock import Clock, SessionClock, SystemClock
from shared.metrics.service_metrics import ServiceMetrics
from shared.providers import ProviderName
from shared.service import Service, build_service
from shared.settings import CommonSettings

# name -> how the provider is built
PROVIDERS: Final[Mapping[ProviderName, Callable[[MarketDataSettings], Provider]]] = MappingProxyType(
    {
        "files": lambda settings: FilesProvider(settings.directory_of_files()),
        "sample": lambda _: SampleProvider(),
    }
)


def build(common: CommonSettings, settings: MarketDataSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return market_data, ready to run."""
    own = settings or MarketDataSettings()
    time = SessionClock(clock or SystemClock(), common.settle_delay)
    service = build_service("market_data", common)
    chain = build_chain(own, service.metrics)
    subscribers.register(service.consume, common, own, chain=chain, clock=time)
    service.router = routes.build_router(service.unit_of_work, time, chain)
    service.problems = PROBLEMS
    return service


def build_chain(settings: MarketDataSettings, metrics: ServiceMetrics) -> ProviderChain:
    """Return the providers in the configured order."""
    skipped = (Kind.PROFILES,) if settings.skip_phase0_valuations else ()
    return ProviderChain([PROVIDERS[name](settings) for name in settings.providers], but=skipped, metrics=metrics)
