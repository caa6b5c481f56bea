"""The composition root of market_data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import structlog

from services.market_data import subscribers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.fmp import FmpProvider
from services.market_data.providers.fred import FredProvider
from services.market_data.providers.gate import Gate
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.naming import Register
from services.market_data.providers.provider import Closing, Kind, Provider
from services.market_data.providers.sample import SampleProvider
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.providers.yahoo import YahooProvider
from services.market_data.providers.yahooquery import YahooqueryProvider
from services.market_data.settings import Access, MarketDataSettings
from services.market_data.storage.gauges import read_held, read_vendors
from services.market_data.storage.identifier_repository import StoredRegister
from services.market_data.storage.vendor_ledger import VendorLedger
from services.market_data.web import routes
from services.market_data.web.problems import PROBLEMS
from shared.clock import Clock, SessionClock, SystemClock
from shared.metrics.service_metrics import ServiceMetrics
from shared.providers import ProviderName
from shared.service import Service, build_service
from shared.settings import CommonSettings

log = structlog.get_logger("market_data")

# name -> how the provider is built: from the settings, or from how a vendor is reached
LOCAL: Final[Mapping[ProviderName, Callable[[MarketDataSettings], Provider]]] = MappingProxyType(
    {
        "files": lambda settings: FilesProvider(settings.directory_of_files()),
        "sample": lambda _: SampleProvider(),
    }
)
VENDORS: Final[Mapping[ProviderName, Callable[[Access], Provider]]] = MappingProxyType(
    {
        "fmp": FmpProvider,
        "fred": FredProvider,
        "massive": MassiveProvider,
        "tiingo": TiingoProvider,
        "yahoo": YahooProvider,
        "yahooquery": YahooqueryProvider,
    }
)


def build(common: CommonSettings, settings: MarketDataSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return market_data, ready to run."""
    own = settings or MarketDataSettings()
    time = SessionClock(clock or SystemClock(), common.settle_delay)
    service = build_service("market_data", common)
    # What plans allow is counted in real time, whatever day a replay stands at.
    ledger = VendorLedger(service.unit_of_work, SystemClock(), own.plans)
    providers = build_providers(own, ledger)
    chain = build_chain(own, providers, service.metrics, ledger, StoredRegister(service.unit_of_work))
    subscribers.register(service.consume, common, own, chain=chain, clock=time)
    service.router = routes.build_router(service.unit_of_work, time, chain, own.plans, common.factor_set)
    service.problems = PROBLEMS
    service.remarks.append(ledger.remarks)
    service.gauges += [read_held, partial(read_vendors, plans=own.plans, kinds=tuple(Kind), clock=SystemClock())]
    service.released += [each.close for each in providers if isinstance(each, Closing)]
    return service


def build_providers(settings: MarketDataSettings, ledger: VendorLedger | None = None) -> list[Provider]:
    """Return the providers in the configured order; one without its key is left out.

    Requests of vendors are counted in the ledger.
    """
    for name, variable in settings.without_key.items():
        log.warning("provider left out", provider=name, missing=variable)
    return [_build(name, settings, ledger) for name in settings.askable]


def _build(name: ProviderName, settings: MarketDataSettings, ledger: VendorLedger | None) -> Provider:
    if name in LOCAL:
        return LOCAL[name](settings)
    access = settings.access(name)
    if ledger is None:
        return VENDORS[name](access)
    return VENDORS[name](replace(access, take=partial(ledger.take, name, access.plan), answers=ledger.answers(name)))


def build_chain(
    settings: MarketDataSettings,
    providers: Sequence[Provider],
    metrics: ServiceMetrics,
    gate: Gate | None = None,
    register: Register | None = None,
) -> ProviderChain:
    """Return the chain of the providers, each kind in its own order."""
    orders = {kind: getattr(settings, kind) for kind in Kind}
    if settings.skip_phase0_valuations:
        orders[Kind.PROFILES] = ()
    given = {kind: order for kind, order in orders.items() if order is not None}
    return ProviderChain(providers, order=given, metrics=metrics, gate=gate, register=register)
