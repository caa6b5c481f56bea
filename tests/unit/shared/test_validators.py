"""Who has an answer is told that it holds, before another is made, for as long as what it was made from is the same."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from shared.auth import Identified
from shared.principal import Principal, Role
from shared.validators import KEPT, Held, StillHolds, answer_held


class _Numbers:
    """A route that answers with a revision, and how often it has made an answer."""

    def __init__(self) -> None:
        self.app, self.revision, self.made = FastAPI(), 1, 0
        self.app.add_exception_handler(StillHolds, answer_held)
        self.app.add_middleware(Identified, identify=_who)

        @self.app.get("/numbers/{name}")
        async def numbers(name: str, held: Held, first: int = 0) -> list[object]:
            held.unless_held(self.revision)
            self.made += 1
            return [name, first, self.revision]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test")


def _who(connection: HTTPConnection) -> Principal | None:
    return Principal(connection.headers.get("who", "ada"), Role.OWNER)


async def test_answer_that_holds_is_not_made_again_until_there_is_another_revision() -> None:
    numbers = _Numbers()
    async with numbers.client() as client:
        first = await client.get("/numbers/a")
        assert (first.status_code, first.headers["Cache-Control"]) == (200, KEPT)
        having = {"If-None-Match": first.headers["ETag"]}

        again = await client.get("/numbers/a", headers=having)
        assert (again.status_code, again.content, numbers.made) == (304, b"", 1)
        assert {name: again.headers[name] for name in ("ETag", "Cache-Control")} == {
            "ETag": first.headers["ETag"],
            "Cache-Control": KEPT,
        }

        numbers.revision = 2
        revised = await client.get("/numbers/a", headers=having)
        assert (revised.status_code, revised.json(), numbers.made) == (200, ["a", 0, 2], 2)
        assert revised.headers["ETag"] != first.headers["ETag"]
        several = {"If-None-Match": f'"other", {revised.headers["ETag"]}'}
        assert (await client.get("/numbers/a", headers=several)).status_code == 304


@pytest.mark.parametrize(("path", "who"), [("/numbers/a", "bob"), ("/numbers/b", "ada"), ("/numbers/a?first=1", "ada")])
async def test_answer_of_somebody_else_or_to_another_question_is_none(path: str, who: str) -> None:
    numbers = _Numbers()
    async with numbers.client() as client:
        having = {"If-None-Match": (await client.get("/numbers/a")).headers["ETag"]}
        assert (await client.get("/numbers/a", headers=having)).status_code == 304
        assert (await client.get(path, headers={**having, "who": who})).status_code == 200
