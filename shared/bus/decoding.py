"""From messages to letters, and from their bytes to events, as strictly as the schema says."""

from datetime import date
from typing import Any
from uuid import UUID

from faststream.kafka import KafkaMessage
from pydantic import ValidationError

from shared.bus.dead_letters import Letter, storable
from shared.contracts.event import Event
from shared.errors import InvalidEvent


def letter_of(message: KafkaMessage) -> Letter:
    """Return a message as it came, in what a database can store."""
    record: Any = message.raw_message
    return Letter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=storable((record.key or b"").decode(errors="replace")),
        value=record.value or b"",
        headers={storable(name): storable(value) for name, value in message.headers.items()},
    )


def decode(letter: Letter, event_types: dict[str, type[Event]], *, today: date) -> Event:
    """Return the event of a message.

    Raises
    ------
    InvalidEvent
        If the bytes are not an event of the topic in a version that we read, or it speaks of days to come.
    """
    event_type = event_types[letter.topic]
    said = letter.headers.get("ce_type")
    if said != event_type.event_type():
        raise InvalidEvent(f"ce_type must be {event_type.event_type()}, was {said}")
    if b"\\u0000" in letter.value:
        raise InvalidEvent(f"{event_type.event_type()} must not contain NUL, which PostgreSQL does not store")
    try:
        event = event_type.model_validate_json(letter.value)
    except (ValidationError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"{event_type.event_type()} must match its schema: {_reasons(error)}") from error
    if letter.headers.get("ce_id") != str(event.event_id):
        raise InvalidEvent(f"ce_id must be {event.event_id}, was {_uuid_or_text(letter.headers.get('ce_id'))}")
    latest = max(event.days())
    if latest > today:
        raise InvalidEvent(f"{event_type.event_type()} must speak of no day after {today}, was {latest}")
    return event


def _reasons(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(str(step) for step in item['loc']) or 'body'}: {item['msg']}" for item in found)


def _uuid_or_text(said: str | None) -> str:
    try:
        return str(UUID(said or ""))
    except ValueError:
        return "no UUID"
