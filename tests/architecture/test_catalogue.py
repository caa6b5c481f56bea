"""The catalogue is the list to read first: it has to be complete."""

import importlib
import re
from collections.abc import Iterator

import pytest

from shared.contracts.catalogue import EVENTS, PRODUCERS, all_topics, dead_letter_topic
from shared.contracts.event import Event
from shared.contracts.services import SERVICES
from tests.support.source import modules

TOPICS = {
    "batch.triggered": "scheduler",
    "batch.completed": "scheduler",
    "symbols.onboarding": "portfolio",
    "profiles.updated": "market_data",
    "prices.updated": "market_data",
    "fundamentals.updated": "market_data",
    "symbols.factored": "symbol_analytics",
    "symbols.measured": "symbol_analytics",
    "portfolios.valued": "portfolio",
    "portfolios.assessed": "risk",
    **{f"{service}.due": service for service in SERVICES if service != "scheduler"},
}


def _subclasses(event_type: type[Event]) -> Iterator[type[Event]]:
    for subclass in event_type.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def test_catalogue_has_every_event_that_has_a_topic() -> None:
    """Prevents a fact that is announced on a topic which nobody has created, recorded or documented."""
    for module in modules("shared/contracts"):
        importlib.import_module(module.path.removesuffix(".py").replace("/", "."))
    declared = {
        event_type
        for event_type in _subclasses(Event)
        if "topic" in vars(event_type) and event_type.__module__.startswith(("shared.", "services."))
    }
    assert declared == set(PRODUCERS)


def test_catalogue_has_every_topic_of_the_architecture_with_its_producer() -> None:
    assert {event_type.topic: producer for event_type, producer in PRODUCERS.items()} == TOPICS


def test_events_live_in_shared_contracts_only() -> None:
    """Prevents an event that only its producer can read."""
    elsewhere = [
        module.path
        for module in modules("services", "shared")
        if "topic: ClassVar" in module.text and module.parts[:2] != ("shared", "contracts")
    ]
    assert elsewhere == []


def test_every_topic_has_a_dead_letter_topic() -> None:
    assert set(all_topics()) == {*EVENTS, *(dead_letter_topic(topic) for topic in EVENTS)}
    assert len(all_topics()) == 2 * len(PRODUCERS)


@pytest.mark.parametrize("topic", EVENTS)
def test_topic_and_type_are_well_formed(topic: str) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+(\.v[2-9])?", topic)
    assert EVENTS[topic].event_type() == f"{topic}.v{EVENTS[topic].version}"
