"""What the commands read is what the platform answers: their types against the OpenAPI document of the services."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from services.ops.client import routes
from services.ops.client.routes import Route
from tests.support.documents import current_application

ASKED = {name: value for name, value in vars(routes).items() if isinstance(value, Route)}
ASKED |= {f"AUDITS {name}": route for name, route in routes.AUDITS.items()}
TYPES: dict[object, str] = {str: "string", float: "number", int: "integer", bool: "boolean"}
# An id is text to whoever only passes it on.
PLAIN = (None, "uuid")

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Schema:
    return current_application().openapi()


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    """Return what may come in this place, references followed."""
    if "$ref" in schema:
        return [document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]]
    return [found for entry in schema.get("anyOf", ()) for found in _alternatives(entry, document)] or [schema]


def _differences(where: str, wanted: Any, schema: Schema | Literal[True], document: Schema) -> Iterator[str]:
    """Yield where a type and a schema do not say the same; what may be anything is an object."""
    if schema is True or wanted is object:
        yield from () if (schema, wanted) == (True, object) else (f"{where} is anything here only",)
        return
    found = _alternatives(schema, document)
    values = [entry for entry in found if entry["type"] != "null"]
    arguments = [entry for entry in get_args(wanted) if entry is not type(None)]
    nullable = type(None) in get_args(wanted)
    if nullable != (len(values) < len(found)):
        yield f"{where} is {'' if nullable else 'not '}nullable here only"
    for entry in values:
        yield from _of_one(where, arguments[0] if nullable else wanted, entry, document)


def _of_one(where: str, wanted: Any, schema: Schema, document: Schema) -> Iterator[str]:
    generic = get_origin(wanted) or wanted
    if is_typeddict(generic):
        fields, entry = schema.get("properties", {}), get_args(wanted)
        for name, kind in get_type_hints(generic, include_extras=True).items():
            if name in fields:
                told = kind[entry] if getattr(kind, "__parameters__", ()) else kind
                yield from _differences(f"{where}.{name}", told, fields[name], document)
            else:
                yield f"{where}.{name} is not answered"
    elif get_origin(wanted) is list:
        yield from _differences(f"{where}[]", get_args(wanted)[0], schema.get("items", {"type": None}), document)
    elif get_origin(wanted) is dict:
        of = schema.get("additionalProperties", {"type": None})
        yield from _differences(f"{where}{{}}", get_args(wanted)[1], of, document)
    else:
        plain, *formats = get_args(wanted) if get_origin(wanted) is Annotated else (wanted, *PLAIN)
        if schema["type"] != TYPES[plain] or schema.get("format") not in formats:
            yield f"{where} is {schema['type']} {schema.get('format', '')}"


def _answer(asked: Route[Any], document: Schema) -> Schema:
    method, path = asked.address
    responses = document["paths"][path][method.lower()]["responses"]
    content, *others = [response["content"] for status, response in responses.items() if status.startswith("2")]
    assert all(other == content for other in others)
    stream = content.get("text/event-stream")
    schema: Schema = (
        stream["itemSchema"]["properties"]["data"]["contentSchema"] if stream else content["application/json"]["schema"]
    )
    return schema


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_answer_has_every_field_that_is_read_of_it_and_null_where_that_is_expected(
    asked: Route[Any], document: Schema
) -> None:
    assert list(_differences(asked.name, asked.answer, _answer(asked, document), document)) == []
