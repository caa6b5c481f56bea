"""Bodies of requests: read only from whom they may come, within a size and a time, without a field said twice."""

import asyncio
import json
from typing import Any, Final

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.auth import ACCESS, admit
from shared.bodies import read_body
from shared.paths import API
from shared.principal import Role
from shared.problems import respond

# Larger ones are looked through beside the loop that everybody is answered by.
_SMALL_BYTES: Final = 64 * 1024

_ADMITTED = [
    (method, compile_path(API + path)[0], role)
    for route, role in ACCESS.items()
    for method, path in [route.split(" ")]
    if method != "GET"
]


class RequestBodies:
    """Reads a body before the application does, or refuses it (an ASGI middleware)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, 403, 408, 413 or 422, or pass the request on with its body."""
        roles = _roles(scope) if scope["type"] == "http" else []
        if not roles:
            await self._app(scope, receive, send)
            return
        try:
            admit(min(roles), HTTPConnection(scope))
            body = await read_body(Headers(scope=scope), receive)
        except HTTPException as refusal:
            await respond(refusal.status_code, refusal.detail, [], refusal.headers)(scope, receive, send)
            return
        twice = await _said_twice(body)
        if twice is not None:
            errors = [{"field": f"body.{twice}", "reason": "is given twice in one object"}]
            await respond(422, "the request is not valid", errors)(scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)


def _roles(scope: Scope) -> list[Role]:
    # Which of them is asked is the router's business, which asks for the role of that one.
    return [role for method, path, role in _ADMITTED if method == scope["method"] and path.match(scope["path"])]


async def _said_twice(body: bytes) -> str | None:
    if len(body) < _SMALL_BYTES:
        return _twice(body)
    return await asyncio.to_thread(_twice, body)


def _twice(body: bytes) -> str | None:
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                found.append(name)
                return
            seen.add(name)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        # What is no JSON, the application says.
        return None
    return found[0] if found else None


def _replaying(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
