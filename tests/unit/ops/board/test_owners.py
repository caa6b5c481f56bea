"""Pages for somebody who may see their own portfolios and nothing else."""

import re
from functools import partial

import httpx
import pytest

from shared.auth import ACCESS, Identified, person_of
from shared.paths import API
from shared.principal import Principal, Role
from tests.support.people import SESSIONS, signed_in
from tests.unit.ops.board.stored import everything
from tests.unit.ops.board.test_portfolio_pages import PORTFOLIO
from tests.unit.ops.board.world import World

ADA = Principal("ada", Role.OWNER)


def pages_of(world: World) -> httpx.AsyncClient:
    browser = world.pages(lambda app: app.add_middleware(Identified, identify=partial(person_of, sessions=SESSIONS)))
    browser.headers.update(signed_in(ADA))
    return browser


def may_ask(request: httpx.Request) -> bool:
    said = f"{request.method} {request.url.path.removeprefix(API)}"
    needed = [role for route, role in ACCESS.items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), said)]
    return bool(needed) and min(needed) <= Role.OWNER


async def test_board_leads_owners_to_their_portfolios() -> None:
    async with pages_of(World({})) as browser:
        answer = await browser.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/pages/portfolios")


@pytest.mark.parametrize("page", ["/pages/portfolios", "/pages/readiness", PORTFOLIO, f"{PORTFOLIO}/changes"])
async def test_pages_of_owners_ask_for_nothing_that_owners_may_not_read(page: str) -> None:
    world = World(everything())
    async with pages_of(world) as browser:
        answer = await browser.get(page)

    assert answer.status_code == 200
    assert world.asked
    assert [str(request.url) for request in world.asked if not may_ask(request)] == []


async def test_pages_lead_owners_to_what_they_may_see_alone() -> None:
    async with pages_of(World(everything())) as browser:
        answer = await browser.get("/pages/portfolios")

    assert re.findall(r'<li><a href="([^"]+)"', answer.text) == ["/pages/portfolios", "/pages/readiness"]
