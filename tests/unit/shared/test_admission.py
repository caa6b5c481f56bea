"""What becomes of requests that come faster than they are answered, or of more than are one caller's share."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse

from shared.admission import COSTLY, COSTLY_A_MINUTE, OWN_AT_ONCE, OWN_WAITING, STREAMS, Admission, Streams
from shared.auth import ACCESS, Identified
from shared.principal import Principal, Role
from shared.problems import PROBLEM_TYPE, install_problem_handlers
from tests.support.eventually import eventually

ROLES = {"ada": Role.OWNER, "bob": Role.OWNER, "viewer": Role.VIEWER, "operator": Role.OPERATOR}


class _Slow:
    """Routes whose answers end when they may, and what has begun of them."""

    def __init__(self, admission: Admission) -> None:
        self.app, self.go_on, self.begun = FastAPI(), asyncio.Event(), list[str]()
        install_problem_handlers(self.app)
        self.app.add_middleware(Identified, identify=_who)

        @self.app.get("/{number}", dependencies=[Depends(admission, scope="function")])
        async def answer(number: str) -> str:
            self.begun.append(number)
            await self.go_on.wait()
            return number

    async def has_begun(self, number: str) -> None:
        """Wait until the answer to a request has begun."""

        async def look() -> bool:
            return number in self.begun

        await eventually(look)

    def client(self, who: str = "operator") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"who": who})


def _who(connection: HTTPConnection) -> Principal | None:
    name = connection.headers["who"]
    return Principal(name, ROLES[name])


async def _refused_first(asked: Iterable["asyncio.Task[httpx.Response]"]) -> httpx.Response:
    sent_away, _ = await asyncio.wait(list(asked), return_when=asyncio.FIRST_COMPLETED)
    return sent_away.pop().result()


async def test_requests_beyond_those_that_may_wait_are_sent_away_and_the_others_answered_in_turn() -> None:
    slow = _Slow(Admission(at_once=1, waiting=2))
    async with slow.client() as client:
        asked = [asyncio.create_task(client.get(f"/{number}")) for number in range(4)]
        refused = await _refused_first(asked)
        assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM_TYPE)
        assert int(refused.headers["Retry-After"]) > 0
        assert slow.begun == ["0"]

        slow.go_on.set()
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503]
        assert slow.begun == ["0", "1", "2"]
        assert (await client.get("/9")).json() == "9"


@pytest.mark.parametrize("greedy", ["ada", "viewer"])
async def test_one_caller_leaves_places_to_the_others_whatever_is_asked_for(greedy: str) -> None:
    slow, asked_at_once = _Slow(Admission()), OWN_AT_ONCE + OWN_WAITING + 1
    async with slow.client(greedy) as client, slow.client("bob") as other:
        asked = [asyncio.create_task(client.get(f"/{number}")) for number in range(asked_at_once)]
        refused = await _refused_first(asked)
        assert (refused.status_code, refused.headers["content-type"]) == (429, PROBLEM_TYPE)
        assert int(refused.headers["Retry-After"]) > 0

        others = asyncio.create_task(other.get("/bob"))
        await slow.has_begun("bob")
        assert len(slow.begun) == OWN_AT_ONCE + 1

        slow.go_on.set()
        answers = await asyncio.gather(*asked, others)
        assert sorted({answer.status_code for answer in answers}) == [200, 429]
        assert (await client.get("/9")).json() == "9"


async def test_what_is_costly_is_answered_so_often_a_minute_for_one_caller_and_operators_always() -> None:
    app, most = FastAPI(), COSTLY_A_MINUTE.amount
    install_problem_handlers(app)
    app.add_middleware(Identified, identify=_who)
    admitted = [Depends(Admission(), scope="function")]

    @app.get("/readiness", dependencies=admitted)
    @app.get("/portfolios", dependencies=admitted)
    async def answer() -> str:
        return "answered"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def statuses(who: str, path: str) -> list[int]:
            return [(await client.get(path, headers={"who": who})).status_code for _ in range(most + 1)]

        assert await statuses("ada", "/readiness") == [200] * most + [429]
        refused = await client.get("/readiness", headers={"who": "ada"})
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert f"{most} times a minute" in refused.json()["detail"]
        assert await statuses("ada", "/portfolios") == [200] * (most + 1)
        assert (await client.get("/readiness", headers={"who": "bob"})).status_code == 200
        assert await statuses("operator", "/readiness") == [200] * (most + 1)


def test_what_is_costly_are_routes_that_there_are() -> None:
    assert not COSTLY - ACCESS.keys()


async def test_a_caller_follows_so_many_streams_and_one_more_when_one_has_ended() -> None:
    app, ends, begun = FastAPI(), [asyncio.Event() for _ in range(STREAMS)], list[int]()
    install_problem_handlers(app)
    app.add_middleware(Identified, identify=_who)

    @app.get("/{number}", dependencies=[Depends(Streams())])
    async def follow(number: int) -> StreamingResponse:
        async def told() -> AsyncIterator[bytes]:
            begun.append(number)
            yield b"."
            if number < STREAMS:
                await ends[number].wait()

        return StreamingResponse(told())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def all_begun() -> bool:
            return len(begun) == STREAMS

        async def one_more(who: str) -> int:
            return (await client.get(f"/{STREAMS}", headers={"who": who})).status_code

        streams = [asyncio.create_task(client.get(f"/{number}", headers={"who": "ada"})) for number in range(STREAMS)]
        await eventually(all_begun)
        assert [await one_more(who) for who in ("ada", "bob", "operator")] == [429, 200, 200]

        ends[0].set()
        assert (await streams[0]).status_code == 200
        assert await one_more("ada") == 200
        for end in ends:
            end.set()
        assert {answer.status_code for answer in await asyncio.gather(*streams)} == {200}
