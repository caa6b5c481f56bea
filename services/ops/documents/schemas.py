"""Record the JSON Schema of every event: ``python -m services.ops.documents.schemas`` writes tests/contracts/schemas/.

A change that an old reader or an old event would not survive is refused: it needs a new class and a topic with the
suffix ``.v2``. ``--replace`` overwrites all the same, for a topic that nobody has published to yet.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event

SCHEMAS = Path(__file__).parents[3] / "tests" / "contracts" / "schemas"
REPLACE = "--replace"

Schema = Mapping[str, Any]

# What a reader does not depend on.
_DESCRIPTIVE = {"$schema", "$id", "$defs", "title", "description", "examples", "default"}


def schema_of(event_type: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event."""
    identity = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:sigmasight:{event_type.event_type()}",
    }
    return {**identity, **event_type.model_json_schema()}


def rendered(document: Schema) -> str:
    """Return a document as it is kept in the repository."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def incompatibilities(recorded: Schema, current: Schema) -> list[str]:
    """Say what has changed beside new optional fields, descriptions and defaults.

    Parameters
    ----------
    recorded, current : JSON Schema of an event
        As readers know it, and as it would be from now on.

    Returns
    -------
    list of str
        One line a difference, with the path of the field; empty if old and new readers and events fit together.
    """
    return list(_Comparison(recorded, current).differences(recorded, current, "event"))


class _Comparison:
    def __init__(self, recorded: Schema, current: Schema) -> None:
        self._recorded = recorded
        self._current = current

    def differences(self, recorded: Any, current: Any, path: str) -> Iterator[str]:
        old, new = _resolved(recorded, self._recorded), _resolved(current, self._current)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._of_schemas(old, new, path)
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for index, (before, after) in enumerate(zip(_ordered(old), _ordered(new), strict=True)):
                yield from self.differences(before, after, f"{path}[{index}]")
        elif old != new:
            yield f"{path}: was {old!r}, is {new!r}"

    def _of_schemas(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        yield from self._of_fields(old, new, path)
        for word in sorted((set(old) | set(new)) - _DESCRIPTIVE - {"properties", "required"}):
            if word not in old or word not in new:
                yield f"{path}: {word} {'appeared' if word in new else 'disappeared'}"
            else:
                yield from self.differences(old[word], new[word], f"{path}.{word}")

    def _of_fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(set(before) - set(after)):
            yield f"{path}.{name}: removed"
        for name in sorted(needed_after - needed_before):
            yield f"{path}.{name}: became required"
        for name in sorted((needed_before - needed_after) & set(after)):
            yield f"{path}.{name}: is no longer required"
        for name in sorted(set(before) & set(after)):
            yield from self.differences(before[name], after[name], f"{path}.{name}")


def _resolved(node: Any, root: Schema) -> Any:
    while isinstance(node, Mapping) and "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _ordered(entries: list[Any]) -> list[Any]:
    # The order of an enum or of a list of types says nothing.
    return sorted(entries, key=str) if all(isinstance(entry, str) for entry in entries) else entries


def breaking_changes(directory: Path = SCHEMAS) -> list[str]:
    """Compare every event with what is recorded of it; a topic that is new breaks nobody."""
    found = []
    for path in sorted(directory.glob("*.json")):
        event_type = EVENTS.get(path.stem)
        if event_type is None:
            found.append(f"{path.stem}: the event is no longer in the catalogue")
            continue
        changes = incompatibilities(json.loads(path.read_text()), schema_of(event_type))
        found.extend(f"{path.stem}: {change}" for change in changes)
    return found


def record(directory: Path = SCHEMAS) -> None:
    """Write the schema of every event, and nothing else, into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*.json"):
        if path.stem not in EVENTS:
            path.unlink()
    for topic, event_type in EVENTS.items():
        (directory / f"{topic}.json").write_text(rendered(schema_of(event_type)))


def main(arguments: list[str]) -> None:
    """Record the schemas, or say why not."""
    broken = [] if REPLACE in arguments else breaking_changes()
    if broken:
        sys.exit("\n".join([*broken, f"published events stay readable: make a new version, or pass {REPLACE}"]))
    record()


if __name__ == "__main__":
    main(sys.argv[1:])
