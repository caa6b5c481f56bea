"""The AsyncAPI documents: current, complete, and every reference in them leads somewhere."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from services.ops.documents.asyncapi import DOCUMENTS, SYSTEM, Document, documents
from services.ops.documents.schemas import rendered
from services.ops.documents.unconnected import unconnected_services
from shared.contracts.catalogue import EVENTS, PRODUCERS, REPLAYS, all_topics, dead_letter_topic, promise
from shared.contracts.services import SERVICES
from tests.support.documents import current_documents

NAMES = (*SERVICES, SYSTEM)


@pytest.fixture(scope="module")
def current() -> dict[str, Document]:
    return current_documents()


def test_documents_are_one_per_service_and_one_for_the_system(current: dict[str, Document]) -> None:
    assert set(current) == set(NAMES)
    assert {path.stem for path in DOCUMENTS.glob("*.json")} == set(NAMES), "run `make asyncapi`"


@pytest.mark.parametrize("name", NAMES)
def test_document_in_the_repository_is_current(current: dict[str, Document], name: str) -> None:
    assert (DOCUMENTS / f"{name}.json").read_text() == rendered(current[name]), "run `make asyncapi`"


def test_documents_built_twice_are_the_same(current: dict[str, Document]) -> None:
    unconnected_services.cache_clear()

    assert {name: rendered(document) for name, document in documents().items()} == {
        name: rendered(document) for name, document in current.items()
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _follow(document: Document, reference: str) -> Any:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


@pytest.mark.parametrize("name", NAMES)
def test_document_is_asyncapi_3_with_references_that_lead_somewhere(current: dict[str, Document], name: str) -> None:
    document = current[name]
    assert document["asyncapi"] == "3.0.0"
    assert set(document["info"]) >= {"title", "version"}
    for reference in _references(document):
        assert _follow(document, reference) is not None
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = _follow(document, operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert _follow(document, message["$ref"]) in channel["messages"].values()
    used = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert used == {f"#/channels/{topic}" for topic in document["channels"]}


def test_schemas_are_json_schemas_and_those_of_the_system(current: dict[str, Document]) -> None:
    everybodys = current[SYSTEM]["components"]["schemas"]
    for schema in everybodys.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for document in current.values():
        assert document["components"]["schemas"].items() <= everybodys.items()


def _topics(document: Document, action: str) -> set[str]:
    return {
        operation["channel"]["$ref"].removeprefix("#/channels/")
        for operation in document["operations"].values()
        if operation["action"] == action
    }


@pytest.mark.parametrize("service", SERVICES)
def test_service_sends_what_the_catalogue_says(current: dict[str, Document], service: str) -> None:
    produced = {event_type.topic for event_type, producer in PRODUCERS.items() if producer == service}
    assert _topics(current[service], "send") & set(EVENTS) == produced


def test_system_sends_every_topic_and_receives_every_one_that_somebody_reads(current: dict[str, Document]) -> None:
    system = current[SYSTEM]
    assert _topics(system, "send") >= set(EVENTS)
    received = {topic for service in SERVICES for topic in _topics(current[service], "receive")}
    assert _topics(system, "receive") == received
    assert received >= {dead_letter_topic(topic) for topic in EVENTS}


def test_every_announced_topic_has_a_reader(current: dict[str, Document]) -> None:
    """Prevents a chain that ends in the middle: a fact that should have started something and is read by nobody."""
    assert set(EVENTS) - _topics(current[SYSTEM], "receive") == set()


def test_message_payload_is_the_schema_of_the_event(current: dict[str, Document]) -> None:
    system = current[SYSTEM]
    for topic, event_type in EVENTS.items():
        (message,) = system["channels"][topic]["messages"]
        payload = _follow(system, _follow(system, f"#/components/messages/{message}")["payload"]["$ref"])
        assert set(payload["properties"]) == set(event_type.model_fields)
        assert payload["required"] == event_type.model_json_schema()["required"]


def test_every_channel_publishes_what_its_topic_promises(current: dict[str, Document]) -> None:
    channels = {topic: channel for name in NAMES for topic, channel in current[name]["channels"].items()}
    assert {topic: channels[topic]["x-promise"] for topic in all_topics()} == {
        topic: asdict(promise(topic)) for topic in all_topics()
    }
    assert all(text for topic in all_topics() for text in asdict(promise(topic)).values())


def test_every_event_says_what_a_replay_of_it_does() -> None:
    assert set(REPLAYS) == set(PRODUCERS)


def test_documents_contain_no_address_and_no_secret(current: dict[str, Document]) -> None:
    text = json.dumps(current)
    assert "localhost" not in text
    assert "unused" not in text
