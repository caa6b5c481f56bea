"""Who did what: of four services one list, page by page, for administrators."""

import re
from functools import partial
from typing import Any

import httpx
import pytest

from services.ops.board.audit import _SHOWN
from shared.auth import Identified, person_of
from shared.db.audit import AUDITED
from shared.principal import Principal, Role
from tests.support.people import SESSIONS, signed_in
from tests.unit.ops.board.stored import ACTION, everything
from tests.unit.ops.board.world import World

# Of every service, three at each moment.
EACH = 100
NOTED = [
    (name, {**ACTION, "principal": f"{name} {place}", "at": f"2022-12-28T12:{59 - place // 3:02}:00Z"})
    for name in AUDITED
    for place in range(EACH)
]


def _answer(name: str, request: httpx.Request) -> tuple[int, Any]:
    before, limit = request.url.params.get("before"), int(request.url.params["limit"])
    found = [action for service, action in NOTED if service == name and (before is None or action["at"] < before)]
    return 200, {"items": found[:limit], "next": None}


async def test_every_action_of_every_service_is_on_one_of_the_pages() -> None:
    world, seen, pages, address = World({f"GET /audit/{name}": partial(_answer, name) for name in AUDITED}), [], 0, ""
    async with world.pages() as browser:
        while pages == 0 or address:
            text = (await browser.get(f"/pages/audit{address}")).text
            shown, pages = re.findall(r">(\w+ \d+)</a>", text), pages + 1
            seen += shown
            assert len(shown) >= min(_SHOWN, len(NOTED) - len(seen) + len(shown))
            (address,) = [*re.findall(r'href="(\?[^"]*)">Earlier', text), ""][:1]
    assert sorted(seen) == sorted(action["principal"] for _, action in NOTED)
    assert pages >= 3


async def test_services_are_asked_for_somebody_and_a_time() -> None:
    world = World(everything())
    asked = {"principal": "ada", "since": "2022-12-28T00:00:00Z", "before": "2022-12-29T00:00:00Z"}
    async with world.pages() as browser:
        await browser.get("/pages/audit", params={**asked, "more": "x"})
    assert [dict(request.url.params) for request in world.asked] == [{**asked, "limit": str(_SHOWN + 1)}] * len(AUDITED)


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER, Role.OPERATOR, Role.ADMIN])
async def test_pages_lead_administrators_alone_to_it(role: Role) -> None:
    known = partial(person_of, sessions=SESSIONS)
    async with World(everything()).pages(lambda app: app.add_middleware(Identified, identify=known)) as browser:
        text = (await browser.get("/pages/portfolios", headers=signed_in(Principal("ada", role)))).text
    assert ('href="/pages/audit"' in text) == (role is Role.ADMIN)
