"""What stands in an outbox, as it is published."""

import json
from typing import Any, Final, TypeVar

from shared.contracts.event import Event
from shared.db.outbox import unpacked

EVENTS_OF_RUN: Final = """
    SELECT value, CAST(headers AS text) AS headers FROM outbox WHERE topic = :topic AND run_id = :run_id ORDER BY id
"""
E = TypeVar("E", bound=Event)


def event_of(event_type: type[E], row: Any) -> E:
    """Return the event in a row with its value and headers."""
    value, _ = unpacked(row.value, json.loads(row.headers))
    return event_type.model_validate_json(value)
