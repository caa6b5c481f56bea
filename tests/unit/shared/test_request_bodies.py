"""What becomes of a body before the application sees it, told by what is read of it and what is answered."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr

from shared import bodies
from shared.auth import Authenticator, Identified
from shared.bodies import MAX_BODY_BYTES
from shared.problems import PROBLEM_TYPE, install_problem_handlers
from shared.request_bodies import RequestBodies

PATH = "/api/v1/portfolios"
OPERATOR = {"authorization": "Bearer operator"}
MEBIBYTE = b"x" * 1024 * 1024


@pytest.fixture(scope="module")
def app() -> FastAPI:
    made = FastAPI()
    authenticate = Authenticator(viewer_token=SecretStr("viewer"), operator_token=SecretStr("operator"))
    made.add_middleware(RequestBodies)
    made.add_middleware(Identified, identify=authenticate.identify)
    install_problem_handlers(made)

    @made.post(PATH)
    async def take(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    return made


class Caller:
    """Sends a request piece by piece, and counts what is taken of it."""

    def __init__(self, app: FastAPI, *, headers: dict[str, str], pieces: Iterator[bytes]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._pieces = pieces
        self.taken = 0
        self.said: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        piece = next(self._pieces, None)
        self.taken += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(self, message: dict[str, Any]) -> None:
        self.said.append(message)

    async def call(self) -> tuple[int, Any]:
        scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": self._headers}
        await self._app(scope, self.receive, self.send)  # type: ignore[arg-type]
        start, *rest = self.said
        headers = dict(start["headers"])
        if start["status"] != 200:
            assert headers[b"content-type"] == PROBLEM_TYPE.encode()
        return start["status"], json.loads(b"".join(part.get("body", b"") for part in rest))


async def _answer(app: FastAPI, body: bytes, headers: dict[str, str] = OPERATOR) -> tuple[int, Any]:
    return await Caller(app, headers=headers, pieces=iter([body])).call()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer wrong"}, 401), ({"authorization": "Bearer viewer"}, 403)],
)
async def test_nothing_is_read_from_who_may_not_send_it(app: FastAPI, headers: dict[str, str], status: int) -> None:
    caller = Caller(app, headers=headers, pieces=iter([MEBIBYTE] * 100))
    assert (await caller.call())[0] == status
    assert caller.taken == 0


async def test_body_that_says_it_is_too_large_is_not_read(app: FastAPI) -> None:
    caller = Caller(app, headers={**OPERATOR, "content-length": str(MAX_BODY_BYTES + 1)}, pieces=iter([MEBIBYTE] * 100))
    status, problem = await caller.call()
    assert (status, problem["detail"]) == (413, f"a body must have at most {MAX_BODY_BYTES} bytes")
    assert caller.taken == 0


@pytest.mark.parametrize("length", [{}, {"content-length": "10"}], ids=["in chunks", "that lies"])
async def test_flood_is_cut_at_the_limit(app: FastAPI, length: dict[str, str]) -> None:
    caller = Caller(app, headers={**OPERATOR, **length}, pieces=iter([MEBIBYTE] * 1000))
    assert (await caller.call())[0] == 413
    assert caller.taken <= MAX_BODY_BYTES + len(MEBIBYTE)


async def test_body_that_does_not_come_is_not_waited_for(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.01)
    caller = Caller(app, headers=OPERATOR, pieces=iter([]))

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(caller, "receive", never)
    assert (await caller.call())[0] == 408


@pytest.mark.parametrize("filling", [0, 100_000])
async def test_field_that_is_given_twice_is_refused_wherever_it_is(app: FastAPI, filling: int) -> None:
    body = b'{"name": "%s", "positions": [{"quantity": 1, "symbol": "A", "quantity": 2}]}' % (b"x" * filling)
    status, problem = await _answer(app, body)
    assert (status, problem["errors"]) == (
        422,
        [{"field": "body.quantity", "reason": "is given twice in one object"}],
    )


@pytest.mark.parametrize("body", [b'{"a": 1, "b": {"a": 1}}', b"{nope", b"[" * 100_000, b"\xff", b""])
async def test_other_bodies_reach_the_application_as_they_came(app: FastAPI, body: bytes) -> None:
    assert await _answer(app, body) == (200, {"bytes": len(body)})
