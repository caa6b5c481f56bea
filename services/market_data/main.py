"""The composition root of market_data."""

from services.market_data import subscribers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import Provider
from services.market_data.providers.sample import SampleProvider
from services.market_data.settings import MarketDataSettings
from services.market_data.web import routes
from shared.clock import Clock, SystemClock
from shared.service import Service, build_service
from shared.settings import CommonSettings, FactorSettings


def build(
    common: CommonSettings,
    settings: MarketDataSettings | None = None,
    *,
    factors: FactorSettings | None = None,
    clock: Clock | None = None,
) -> Service:
    """Return market_data, ready to run."""
    own, factor_set = settings or MarketDataSettings(), (factors or FactorSettings()).factor_set
    time = clock or SystemClock()
    service = build_service("market_data", common)
    subscribers.register(service.consume, chain=build_chain(own), factor_set=factor_set, clock=time)
    service.router = routes.build_router(service.unit_of_work, time)
    return service


def build_chain(settings: MarketDataSettings) -> ProviderChain:
    """Return the providers in the configured order."""
    return ProviderChain([_provider(name, settings) for name in settings.providers])


def _provider(name: str, settings: MarketDataSettings) -> Provider:
    if name == "files" and settings.files_dir is not None:
        return FilesProvider(settings.files_dir)
    return SampleProvider()
