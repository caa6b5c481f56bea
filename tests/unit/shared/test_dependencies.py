"""What routes are given is made where they run, and refused as FastAPI would."""

import threading
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import FastAPI, Query

from shared.dependencies import made


@dataclass(frozen=True)
class Wanted:
    """What a route of the test takes."""

    count: Annotated[int, Query(ge=1)] = 2

    def __post_init__(self) -> None:
        # Nothing else tells which thread has made it.
        object.__setattr__(self, "made_by", threading.get_ident())


async def test_object_is_made_by_the_thread_of_the_route_from_what_it_takes() -> None:
    app = FastAPI()

    @app.get("/")
    async def get(wanted: Annotated[Wanted, made(Wanted)]) -> tuple[int, bool]:
        return wanted.count, vars(wanted)["made_by"] == threading.get_ident()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probe") as client:
        assert (await client.get("/")).json() == [2, True]
        assert (await client.get("/", params={"count": 3})).json() == [3, True]
        assert (await client.get("/", params={"count": 0})).status_code == 422
    assert [each["name"] for each in app.openapi()["paths"]["/"]["get"]["parameters"]] == ["count"]
