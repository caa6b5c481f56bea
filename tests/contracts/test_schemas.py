"""The recorded schemas: current, and a change that old readers or old events would not survive is refused."""

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

from services.ops.documents.schemas import (
    SCHEMAS,
    breaking_changes,
    incompatibilities,
    main,
    record,
    rendered,
    schema_of,
)
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event
from shared.contracts.portfolio import PortfoliosValued
from tests.support.event_strategies import events

RECORDED: dict[str, Any] = json.loads((SCHEMAS / "portfolios.valued.json").read_text())


def test_recorded_schemas_are_those_of_the_catalogue() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(EVENTS), "run `make schemas`"


@pytest.mark.parametrize("topic", EVENTS)
def test_recorded_schema_is_current(topic: str) -> None:
    assert (SCHEMAS / f"{topic}.json").read_text() == rendered(schema_of(EVENTS[topic])), "run `make schemas`"


@cache
def _recorded(topic: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{topic}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("topic", EVENTS)
@settings(max_examples=3)
@given(data=st.data())
def test_events_match_their_recorded_schema(topic: str, data: st.DataObject) -> None:
    event: Event = data.draw(events(EVENTS[topic]))
    _recorded(topic).validate(json.loads(event.model_dump_json()))


def test_event_that_changed_is_not_current() -> None:
    changed = create_model("PortfoliosValued", __base__=PortfoliosValued, late=(int | None, None))
    assert rendered(schema_of(changed)) != (SCHEMAS / "portfolios.valued.json").read_text()


Change = Callable[[dict[str, Any]], Any]


def _changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(RECORDED)
    change(schema)
    return schema


BREAKING: dict[str, tuple[Change, str]] = {
    "new required field": (
        lambda s: (s["properties"].update(currency={"type": "string"}), s["required"].append("currency")),
        "event.currency: became required",
    ),
    "optional field becomes required": (
        lambda s: s["required"].append("books"),
        "event.books: became required",
    ),
    "required field becomes optional": (
        lambda s: s["required"].remove("part"),
        "event.part: is no longer required",
    ),
    "field removed": (lambda s: s["properties"].pop("books"), "event.books: removed"),
    "field of a nested model removed": (
        lambda s: s["$defs"]["Snapshot"]["properties"].pop("flow"),
        "event.snapshots.items.flow: removed",
    ),
    "type changed": (
        lambda s: s["$defs"]["Part"]["properties"]["index"].update(type="string"),
        "event.part.index.type: was 'integer', is 'string'",
    ),
    "type narrowed": (
        lambda s: s["$defs"]["Part"]["properties"]["index"].update(maximum=10),
        "event.part.index: maximum appeared",
    ),
    "type widened": (
        lambda s: s["$defs"]["Part"]["properties"]["index"].pop("minimum"),
        "event.part.index: minimum disappeared",
    ),
    "null no longer allowed": (
        lambda s: s["$defs"]["Run"]["properties"]["symbols"]["anyOf"].pop(),
        "event.run.symbols.anyOf: was",
    ),
    "enum value removed": (lambda s: s["$defs"]["RunKind"]["enum"].pop(), "event.run.kind.enum: was"),
    "enum value added": (lambda s: s["$defs"]["RunKind"]["enum"].append("weekly"), "event.run.kind.enum: was"),
    "enum value renamed": (
        lambda s: s["$defs"]["RunKind"]["enum"].__setitem__(0, "every_night"),
        "event.run.kind.enum[",
    ),
    "format changed": (
        lambda s: s["$defs"]["Snapshot"]["properties"]["as_of"].update(format="date-time"),
        "event.snapshots.items.as_of.format: was 'date'",
    ),
    "another nested model": (
        lambda s: s["properties"]["books"]["items"].update({"$ref": "#/$defs/Snapshot"}),
        "event.books.items",
    ),
}


@pytest.mark.parametrize("case", BREAKING)
def test_change_that_breaks_a_reader_is_found(case: str) -> None:
    change, expected = BREAKING[case]
    found = incompatibilities(RECORDED, _changed(change))
    assert any(line.startswith(expected) for line in found), found


COMPATIBLE: dict[str, Change] = {
    "nothing": lambda s: None,
    "new optional field": lambda s: s["properties"].update(currency={"type": "string", "default": "USD"}),
    "new optional field of a nested model": lambda s: s["$defs"]["Snapshot"]["properties"].update(
        note={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "new description": lambda s: s["properties"]["books"].update(description="as of the end of the session"),
    "enum in another order": lambda s: s["$defs"]["RunKind"]["enum"].reverse(),
    "required in another order": lambda s: s["required"].reverse(),
    "model renamed": lambda s: (
        s["$defs"].update(Holding=s["$defs"].pop("Book")),
        s["properties"]["books"]["items"].update({"$ref": "#/$defs/Holding"}),
    ),
}


@pytest.mark.parametrize("case", COMPATIBLE)
def test_change_that_breaks_nobody_passes(case: str) -> None:
    assert incompatibilities(RECORDED, _changed(COMPATIBLE[case])) == []


def test_event_class_with_a_new_required_field_breaks_and_with_an_optional_one_does_not() -> None:
    needed = create_model("PortfoliosValued", __base__=PortfoliosValued, currency=(str, Field()))
    offered = create_model("PortfoliosValued", __base__=PortfoliosValued, currency=(str | None, None))
    assert incompatibilities(RECORDED, schema_of(needed)) == ["event.currency: became required"]
    assert incompatibilities(RECORDED, schema_of(offered)) == []


def test_recording_a_breaking_change_is_refused_unless_it_is_to_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path)
    changed = _changed(lambda s: s["properties"].update(gone={"type": "string"}))
    (tmp_path / "portfolios.valued.json").write_text(rendered(changed))
    (tmp_path / "forgotten.json").write_text("{}")

    assert breaking_changes(tmp_path) == [
        "forgotten: the event is no longer in the catalogue",
        "portfolios.valued: event.gone: removed",
    ]
    monkeypatch.setattr("services.ops.documents.schemas.breaking_changes", lambda: breaking_changes(tmp_path))
    monkeypatch.setattr("services.ops.documents.schemas.record", lambda: record(tmp_path))
    with pytest.raises(SystemExit, match=r"event\.gone: removed"):
        main([])
    main(["--replace"])
    assert breaking_changes(tmp_path) == []
    assert {path.stem for path in tmp_path.glob("*.json")} == set(EVENTS)
