"""Every event of the system, by its topic: the list to read first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

# What asks for runs: everything else follows from it.
ASKED: Final = (BatchTriggered.topic, SymbolsOnboarding.topic)
_ASKED = "is not sent to one service: its sessions are asked for again, as a run of their own"
_WORK = "is computed again by the service itself; of unchanged inputs nothing is written, and nobody hears of it twice"
_STORED = "is stored again by who keeps it, which changes nothing that is there; barriers that have opened stay open"

# event -> what a replay of it does in the service that it is sent to
REPLAYS: Final[Mapping[type[Event], str]] = MappingProxyType(
    {
        BatchTriggered: _ASKED,
        BatchCompleted: "ends nothing: who has noted the end of the run notes it once",
        MarketDataDue: "is fetched again: what the providers say by now is stored, and nobody hears of it",
        ProfilesUpdated: _STORED,
        PricesUpdated: _STORED,
        FundamentalsUpdated: _STORED,
        SymbolAnalyticsDue: _WORK,
        SymbolsFactored: _STORED,
        SymbolsMeasured: _STORED,
        SymbolsOnboarding: _ASKED,
        PortfolioDue: _WORK,
        PortfoliosValued: _STORED,
        RiskDue: _WORK,
        PortfoliosAssessed: _STORED,
    }
)


@dataclass(frozen=True, slots=True)
class Key:
    """What the messages of a topic are keyed by, and the order that follows."""

    name: str
    order: str


BY_INDEX: Final = Key(
    "shard-{part.index}", "of the parts of one index the one in which they were said, run after run; else none"
)
BY_RUN: Final = Key("run.run_id", "of the messages of a run the one in which they were said; else none")
BY_BOOK: Final = Key(
    "portfolio_id, or run.run_id without one", "of the messages about a book the one in which they were said; else none"
)


@dataclass(frozen=True, slots=True)
class Promise:
    """What whoever listens to a topic may rely on."""

    key: str
    order: str
    duplicates: str
    replay: str


_DUPLICATES = (
    "a message may come twice, with the same ce_id; a consumer of ours takes an id once, and once more a replay"
)


def promise(topic: str) -> Promise:
    """Return what a topic promises."""
    event_type = EVENTS.get(topic)
    if event_type is None:
        again = "is a redrive: the message goes to the consumer that refused it, and to nobody else"
        return Promise("that of the message that was refused", "none", "a message may come twice", again)
    key = _key_of(event_type)
    return Promise(key.name, key.order, _DUPLICATES, REPLAYS[event_type])


def _key_of(event_type: type[Event]) -> Key:
    if event_type is SymbolsOnboarding:
        return BY_BOOK
    return BY_RUN if event_type.keyed_by_run else BY_INDEX


def is_work(topic: str) -> bool:
    """Tell whether a topic takes shards of work, as opposed to facts."""
    return topic.endswith(".due")


def dead_letter_topic(topic: str) -> str:
    """Return the topic that takes what could not be consumed from `topic`."""
    return f"{topic}.dlq"


def written_topics(service: str, listens_to: Iterable[str]) -> frozenset[str]:
    """Return the topics that a service writes: its own events, what it could not consume, and what it sends again.

    What was refused is sent again by the scheduler, which keeps the dead letters.
    """
    own = {event.topic for event, producer in PRODUCERS.items() if producer == service}
    refused = {dead_letter_topic(topic) for topic in listens_to if topic in EVENTS}
    return frozenset(own | refused | (EVENTS.keys() if service == "scheduler" else set()))


def all_topics() -> tuple[str, ...]:
    """Return every topic of the system, dead letters included."""
    return tuple(sorted([*EVENTS, *(dead_letter_topic(topic) for topic in EVENTS)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLayout:
    """How topics are made: `partitions_of` names those with another number of partitions than the others."""

    partitions: int
    partitions_of: Mapping[str, int] = field(default_factory=dict)
    replication_factor: int = 1
    min_insync_replicas: int = 1
