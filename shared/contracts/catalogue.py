"""Every event of the system, by its topic: the list to read first."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.contracts.event import Event
from shared.contracts.market_data import FundamentalsUpdated, MarketDataDue, PricesUpdated, ProfilesUpdated
from shared.contracts.portfolio import PortfolioDue, PortfoliosValued, SymbolsOnboarding
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.contracts.scheduler import BatchCompleted, BatchTriggered
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured

# event -> the service that publishes it
PRODUCERS: Final[Mapping[type[Event], str]] = MappingProxyType(
    {
        BatchTriggered: "scheduler",
        BatchCompleted: "scheduler",
        MarketDataDue: "market_data",
        ProfilesUpdated: "market_data",
        PricesUpdated: "market_data",
        FundamentalsUpdated: "market_data",
        SymbolAnalyticsDue: "symbol_analytics",
        SymbolsFactored: "symbol_analytics",
        SymbolsMeasured: "symbol_analytics",
        SymbolsOnboarding: "portfolio",
        PortfolioDue: "portfolio",
        PortfoliosValued: "portfolio",
        RiskDue: "risk",
        PortfoliosAssessed: "risk",
    }
)

EVENTS: Final[Mapping[str, type[Event]]] = MappingProxyType({event.topic: event for event in PRODUCERS})


def dead_letter_topic(topic: str) -> str:
    """Return the topic that takes what could not be consumed from `topic`."""
    return f"{topic}.dlq"


def all_topics() -> tuple[str, ...]:
    """Return every topic of the system, dead letters included."""
    return tuple(sorted([*EVENTS, *(dead_letter_topic(topic) for topic in EVENTS)]))
