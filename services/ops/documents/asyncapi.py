"""Write the AsyncAPI 3 documents: ``python -m services.ops.documents.asyncapi`` writes docs/asyncapi/.

What a service receives is read from its broker by FastStream, what it sends from the catalogue; no broker is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faststream.specification import AsyncAPI
from pydantic.json_schema import models_json_schema

from services.ops.documents.schemas import rendered
from services.ops.documents.unconnected import unconnected_services
from shared.bus.dead_letters import REPORTED_HEADER, SETTLED_HEADER
from shared.contracts.catalogue import EVENTS, PRODUCERS, dead_letter_topic, promise
from shared.service import Service

DOCUMENTS = Path(__file__).parents[3] / "docs" / "asyncapi"
SYSTEM = "system"

Document = dict[str, Any]

_DEAD_LETTERS = {dead_letter_topic(topic): topic for topic in EVENTS}
_TEXT = {"type": "string"}
_EVENT_HEADERS = (
    "content-type",
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "traceparent",
)
_ORIGIN_HEADERS = (
    "dlq-consumer",
    "dlq-topic",
    "dlq-partition",
    "dlq-offset",
)
_CAUSE_HEADERS = ("dlq-attempts", "dlq-reason", "dlq-detail", REPORTED_HEADER, SETTLED_HEADER)


def documents() -> dict[str, Document]:
    """Return the document of each service, by its name, and that of the system."""
    services = unconnected_services()
    operations = {service.name: _operations(service) for service in services}
    everything = {name: operation for of_service in operations.values() for name, operation in of_service.items()}
    return {
        **{name: _document(name, of_service) for name, of_service in operations.items()},
        SYSTEM: _document(SYSTEM, everything),
    }


def _operations(service: Service) -> dict[str, Document]:
    received = _received(service)
    return {**received, **_sent(service.name, received)}


def _received(service: Service) -> dict[str, Document]:
    specification = AsyncAPI(title=service.name, schema_version="3.0.0")
    specification.add_broker(service.broker)
    found = specification.to_specification().to_jsonable()
    received = {}
    for operation in found["operations"].values():
        channel = operation["channel"]["$ref"].removeprefix("#/channels/")
        topic = found["channels"][channel]["address"]
        group = channel.removesuffix(f":{topic}")
        received[f"{group}.receive.{topic}"] = {
            **_operation("receive", topic),
            "bindings": {"kafka": {"groupId": {"type": "string", "enum": [group]}, "bindingVersion": "0.5.0"}},
        }
    return received


def _sent(service: str, received: Mapping[str, Document]) -> dict[str, Document]:
    topics = [event_type.topic for event_type, producer in PRODUCERS.items() if producer == service]
    consumed = {operation["channel"]["$ref"].removeprefix("#/channels/") for operation in received.values()}
    refused = [dead_letter_topic(topic) for topic in consumed if topic in EVENTS]
    return {f"{service}.send.{topic}": _operation("send", topic) for topic in (*topics, *refused)}


def _operation(action: str, topic: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": [{"$ref": f"#/channels/{topic}/messages/{_message_name(topic)}"}],
    }


def _message_name(topic: str) -> str:
    return "DeadLetter" if topic in _DEAD_LETTERS else EVENTS[topic].__name__


def _document(title: str, operations: Mapping[str, Document]) -> Document:
    topics = sorted({operation["channel"]["$ref"].removeprefix("#/channels/") for operation in operations.values()})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1.0.0"},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in topics},
        "operations": dict(operations),
        "components": {
            "messages": {_message_name(topic): _message(topic) for topic in topics},
            "schemas": _schemas([topic for topic in topics if topic in EVENTS]),
        },
    }


def _channel(topic: str) -> Document:
    name = _message_name(topic)
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
        "x-promise": asdict(promise(topic)),
    }


def _message(topic: str) -> Document:
    if topic in _DEAD_LETTERS:
        return {
            "name": "dead letter",
            "title": "DeadLetter",
            "summary": "A message that could not be processed: its bytes and headers, the cause and the origin. "
            "Without bytes and with dlq-settled: one that was sent again, which has been processed.",
            "headers": _headers(_ORIGIN_HEADERS, _CAUSE_HEADERS),
            "payload": {},
        }
    event_type = EVENTS[topic]
    return {
        "name": event_type.event_type(),
        "title": event_type.__name__,
        "summary": (event_type.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": _headers(_EVENT_HEADERS),
        "payload": {"$ref": f"#/components/schemas/{event_type.__name__}"},
    }


def _headers(names: Sequence[str], optional: Sequence[str] = ()) -> Document:
    return {"type": "object", "properties": dict.fromkeys((*names, *optional), _TEXT), "required": list(names)}


def _schemas(topics: Sequence[str]) -> Document:
    _, found = models_json_schema(
        [(EVENTS[topic], "validation") for topic in topics], ref_template="#/components/schemas/{model}"
    )
    schemas: Document = found.get("$defs", {})
    return schemas


def write(directory: Path = DOCUMENTS) -> None:
    """Write every document into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, document in documents().items():
        (directory / f"{name}.json").write_text(rendered(document))


if __name__ == "__main__":
    write()
