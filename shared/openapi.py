"""The OpenAPI document beyond what the routes say: who may call, what refusals look like, where lists go on."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from pydantic import BaseModel
from starlette.routing import compile_path

from shared.auth import ACCESS
from shared.paths import API
from shared.principal import Role
from shared.problems import PROBLEM_TYPE, Problem, respond
from shared.sessions import COOKIE

Json = dict[str, Any]

# What parameters of these names mean, wherever they are not described.
_MEANINGS: Final[Mapping[str, tuple[str, object]]] = {
    "after": ("without so many of the first ones", 0),
    "as_of": ("as of which session; none: the newest", "2022-12-28"),
    "backfill_id": ("which backfill", "5b0a6f2e-9a0f-5a35-8a4e-0f6c6a3a7a11"),
    "batch_run_id": ("which run", "3f2504e0-4f89-51d3-9a0c-0305e82c3301"),
    "before": ("asked for before then", "2022-12-28T22:00:00Z"),
    "failures": ("how many of what failed to show", 200),
    "fire_id": ("which fire of the schedule", "0b7cf0a2-5f0e-5f0a-9d0b-6c0f7d1e2a33"),
    "first": ("from which session on; none: as far back as there is", "2022-12-01"),
    "flow_id": ("which flow of the portfolio", "1d3c7c52-2a5b-4c39-9a53-7f1f6c9d8e10"),
    "frequency": ("quarters or years", "quarterly"),
    "kind": ("why they were asked for; none: whatever for", "nightly"),
    "known_at": ("as it was known then; none: now", "2022-12-28T22:00:00Z"),
    "last": ("up to which session; none: the last one that has closed", "2022-12-28"),
    "letter_id": ("which dead letter", "f1c2a9de-30f4-5f7a-8a3c-1b2d3e4f5a66"),
    "measure": ("which number", "market_beta"),
    "name": ("which one, by its name", "SP500"),
    "portfolio_id": ("which portfolio", "7c9e6679-7425-50de-944b-e07fc1f90ae7"),
    "position_id": ("which position of the portfolio", "c56a4180-65aa-42ec-a945-5fd21dec0538"),
    "reason": ("why it could not be done; none: for whatever reason", "MISSING_DATA"),
    "redrive_id": ("which redrive", "9b2f6a0e-5d4c-4d2b-8c1e-2f3a4b5c6d77"),
    "rule": ("by which rule it was set aside; none: by any", "NON_POSITIVE_CLOSE"),
    "run_id": ("which run", "3f2504e0-4f89-51d3-9a0c-0305e82c3301"),
    "session": ("over which session; none: over any", "2022-12-28"),
    "since": ("asked for then or later", "2022-12-01T00:00:00Z"),
    "stage": ("which trigger", "nightly"),
    "state": ("only those that stand so; none: all", "blocked"),
    "statement": ("which statement", "income"),
    "status": ("only those that stand so; none: all", "completed"),
    "symbol": ("which symbol", "AAPL"),
    "topic": ("from which topic; none: from any", "prices.updated"),
}
_PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["about:blank"]},
        "title": {"type": "string", "examples": ["Unprocessable Content"]},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "the reason, for a person"},
        "errors": {
            "type": "array",
            "description": "the fields that are wrong, each with the reason; at most 100",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


def complete(app: FastAPI) -> None:
    """Have the app document what holds for all its routes."""
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            _complete(generate())
        document: Json = app.openapi_schema or generate()
        return document

    app.add_exception_handler(405, _on_wrong_method)
    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def refused(*statuses: int) -> dict[int | str, Json]:
    """Return the problems that a route may answer with, as its `responses`."""
    return {status: _problem(status) for status in statuses}


def or_found(answer: type[BaseModel]) -> dict[int | str, Json]:
    """Return that a route which makes something may answer with what is there already, as its `responses`."""
    return {200: {"model": answer, "description": "The same one, which is there already"}}


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that the route doesn't have: nobody is told what they didn't ask for.

    Nor is a token that somebody puts there taken: it would be in every log on the way.

    Raises
    ------
    Problem
    """
    if not request.query_params:
        return
    # Of the route itself: to write the whole document takes a second, in which nothing else is answered.
    taken = get_flat_params(request.scope["route"].dependant)
    known = {parameter.alias for parameter in taken if isinstance(parameter.field_info, params.Query)}
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        reason = f"is no parameter of this route, which takes {', '.join(sorted(known)) or 'none'}"
        errors = [{"field": f"query.{name}", "reason": reason} for name in unknown]
        raise Problem(422, "the request is not valid", errors=errors)


async def _on_wrong_method(request: Request, _: Exception) -> Response:
    # The framework would name those of the first route only that has the path.
    paths, asked = request.app.openapi()["paths"], request.scope["path"]
    found = [operations for path, operations in paths.items() if compile_path(path)[0].match(asked)]
    methods = sorted({method.upper() for operations in found for method in operations})
    return respond(405, f"there is no {request.method} here", [], {"Allow": ", ".join(methods)})


def _complete(document: Json) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "the viewer's token reads, the operator's does the rest",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "of a person who has signed in, by https with `__Host-` before its name; "
            "whatever is no GET needs its token in X-CSRF-Token too",
        },
    }
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    for superseded in ("HTTPValidationError", "ValidationError"):
        schemas.pop(superseded, None)
    for route, operation in _operations(document):
        _guard(operation, ACCESS.get(route.replace(f" {API}/", " /")))
        _describe(operation)


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def _guard(operation: Json, role: Role | None) -> None:
    responses = operation["responses"]
    responses["422"] = _problem(422)
    if "requestBody" in operation:
        responses["400"] = _problem(400)
    if role is None or role is Role.ANYONE:
        return
    operation["security"] = [{"bearer": []}, {"session": []}]
    responses["401"] = _problem(401)
    if role > Role.OWNER:
        responses["403"] = _problem(403)
    if role < Role.OPERATOR:
        responses["429"] = _problem(429) | {"headers": {"Retry-After": _header("seconds after which to ask again")}}


def _describe(operation: Json) -> None:
    responses = operation["responses"]
    for parameter in operation.get("parameters", ()):
        meaning, example = _MEANINGS.get(parameter["name"], (None, None))
        if meaning is not None:
            parameter.setdefault("description", meaning)
            parameter.setdefault("example", example)
        if parameter["name"] == "known_at":
            responses["410"] = _problem(410)
        if parameter["name"] == "cursor":
            responses["200"]["headers"] = {"Link": _header('the address of the next page, rel="next"; none: no more')}
    if "304" in responses:
        headers = responses["200"].setdefault("headers", {})
        headers["ETag"] = _header("which answer it is, for `If-None-Match` of the next request")
        responses["304"]["headers"] = {"ETag": headers["ETag"]}
    if "201" in responses:
        responses["201"]["headers"] = {"Location": _header("where what was made is")}


def _header(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _problem(status: int) -> Json:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
