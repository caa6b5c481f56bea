"""Every page on stored answers: it is whole, what others wrote is text, and what somebody looks for is there."""

import re
from typing import Any

import pytest

from services.ops.board.paths import NAVIGATION
from tests.unit.ops.board.stored import ACTIVE, ID, RUN_ID, SCHEDULE, everything, listed
from tests.unit.ops.board.world import World, wrongs_of

PARTS = {
    f"/pages/runs/{RUN_ID}/progress": ["3.2 s", "30 subjects", "Then missing in symbols.factored"],
    f"/pages/backfills/{ID}/progress": ["1:06:40", "2022-12-27: queued"],
    f"/pages/redrives/{ID}/progress": ["Letters dealt with"],
    "/pages/board/readiness": ["Portfolios ready", "999", "of 1,000 on 2022-12-28"],
}
# What each page shows, beside what it must not.
PAGES = {
    "/": ["Last night", "/pages/board/readiness", "completed with errors", "0:01:30"],
    "/pages/runs": ["nightly", "2022-12-27 to 2022-12-28", "?cursor=abc"],
    f"/pages/runs/{RUN_ID}": ["Retry what failed", "300", "1,000", "Never came", "2 findings", "The whole log"],
    f"/pages/runs/{RUN_ID}/failures": ["MISSING_DATA"],
    f"/pages/runs/{RUN_ID}/log": ["12:00:00", "Later"],
    "/pages/schedule": ["Paused", "BATCH_PROCESSING_ENABLED", "nothing to do", "Resume", "0 21 * * *"],
    "/pages/backfills": ["everything", "0 portfolios, 1 symbol", "Show the plan"],
    f"/pages/backfills/{ID}": ["Pause", "Cancel", "30", "2022-12-27: queued"],
    "/pages/dead-letters": ["a bug &amp; co", "reason=a+bug+%26+co", "Redrive…"],
    f"/pages/dead-letters/{ID}": ["risk.assess_portfolios", "tried 3 times", "1,234 bytes", "Drop"],
    f"/pages/redrives/{ID}": ["Letters dealt with", "Settled"],
    "/pages/coverage": ["partly", "never asked", "closed", "over 30", "Later"],
    "/pages/findings": ["UNEXPLAINED_JUMP", "Accept…", "Refuse…"],
    "/pages/readiness": ["none of the last thirty", "2 dead letters", "?state=blocked"],
    f"/pages/readiness/{ID}": ["none of the last thirty"],
    "/pages/audit": ["market data", "refused: 404", "?principal=%3Cscript%3E", "POST /portfolios/{portfolio_id}/close"],
    "/pages/system": ["away", "240 of 250", "101", "risk.store_books"],
} | PARTS


@pytest.mark.parametrize("address", PAGES)
async def test_page_is_whole_and_shows_what_others_wrote_as_text(address: str) -> None:
    async with World(everything()).pages() as browser:
        answer = await browser.get(address, headers={"HX-Request": "true"} if address in PARTS else {})

    assert answer.status_code in {200, 286}, answer.text
    assert wrongs_of(answer.text) == []
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert [shown for shown in PAGES[address] if shown not in answer.text] == []
    if address not in PARTS:
        assert "<!doctype html>" in answer.text
        assert answer.text.count("<h1") == 1


async def test_every_page_leads_to_every_other_and_says_where_one_is() -> None:
    async with World(everything()).pages() as browser:
        for address, label in NAVIGATION:
            text = (await browser.get(address)).text
            assert re.search(rf'href="{address}" aria-current="page">{label}<', text), address
            assert {f'href="{each}"' for each, _ in NAVIGATION} <= set(re.findall(r'href="[^"]*"', text))


async def test_run_under_way_is_followed_and_may_be_cancelled() -> None:
    world = World({**everything(), f"GET /runs/{RUN_ID}": (200, ACTIVE), "GET /runs": listed(ACTIVE)})
    async with world.pages() as browser:
        for address in ("/", f"/pages/runs/{RUN_ID}"):
            text = (await browser.get(address)).text
            assert f'data-follows="/api/v1/runs/{RUN_ID}/events"' in text
            assert f'hx-get="/pages/runs/{RUN_ID}/progress"' in text
            assert "0:01:15" in text
        assert "Cancel the run" in text
        assert "Retry what failed" not in text
        # One that has ended is not asked for any more.
        assert (await browser.get(f"/pages/runs/{RUN_ID}/progress")).status_code == 200
    async with World(everything()).pages() as browser:
        text = (await browser.get(f"/pages/runs/{RUN_ID}")).text
        assert "data-follows" not in text
        assert (await browser.get(f"/pages/runs/{RUN_ID}/progress")).status_code == 286


async def test_board_watches_a_night_under_way_before_any_other_run() -> None:
    other = {**ACTIVE, "run": {**ACTIVE["run"], "run_id": ID, "kind": "backfill"}}

    def runs(request: Any) -> tuple[int, Any]:
        is_active = request.url.params.get("status") == "active"
        return listed(other, ACTIVE) if is_active else listed(other)

    world = World({**everything(), "GET /runs": runs, f"GET /runs/{RUN_ID}": (200, ACTIVE)})
    async with world.pages() as browser:
        text = (await browser.get("/")).text
    assert "Under way" in text
    assert f"/runs/{RUN_ID}/events" in text


async def test_board_says_that_the_platform_cannot_work() -> None:
    away = {**everything(), "GET /health/ready": (503, {"detail": "risk has no database"})}
    async with World(away).pages() as browser:
        answer = await browser.get("/")
    assert answer.status_code == 200
    assert "risk has no database" in answer.text


async def test_board_without_anything_is_a_page() -> None:
    nothing = {
        **{name: listed() for name in everything()},
        "GET /health/ready": (200, {"status": "ready"}),
        "GET /dead-letters/counts": (200, {"letters": 0, "causes": []}),
        "GET /schedule": (200, {**SCHEDULE, "pause": None, "next": [], "last": []}),
        "GET /readiness": (200, {**everything()["GET /readiness"][1], "items": [], "next": None}),
        "GET /cells": (200, {**everything()["GET /cells"][1], "items": [], "reasons": [], "freshness": []}),
        "GET /metrics": (404, {"detail": "no such thing"}),
    }
    async with World(nothing).pages() as browser:
        for address, _ in NAVIGATION:
            answer = await browser.get(address)
            assert (answer.status_code, wrongs_of(answer.text)) == (200, []), address
        assert "Behind a gateway" in answer.text


async def test_lists_ask_for_what_is_chosen_and_go_on_from_the_cursor() -> None:
    world = World(everything())
    async with world.pages() as browser:
        text = (await browser.get("/pages/runs?kind=nightly&status=&session=&cursor=xyz")).text
    (asked,) = world.sent("GET /runs")
    assert dict(asked.url.params) == {"limit": "50", "cursor": "xyz", "kind": "nightly"}
    assert 'href="?kind=nightly&amp;status=&amp;session=&amp;cursor=abc"' in text
    assert 'href="?kind=nightly&amp;status=&amp;session="' in text


async def test_id_in_an_address_stays_one_segment_of_what_is_asked() -> None:
    world = World({})
    async with world.pages() as browser:
        await browser.get("/pages/runs/x%3Flimit=1%23y")
    assert [request.url.raw_path for request in world.asked] == [b"/api/v1/runs/x%3Flimit%3D1%23y?failures=1"]
