"""The pages of portfolios on stored answers."""

import json
import re
from html import unescape
from typing import Any

import pytest

from tests.unit.ops.board.stored import ID, everything, listed
from tests.unit.ops.board.world import World, wrongs_of

PORTFOLIO = f"/pages/portfolios/{ID}"


def _charts(page: str) -> dict[str, Any]:
    drawn = [json.loads(unescape(found)) for found in re.findall(r'data-chart="([^"]*)"', page)]
    return {f"{chart['kind']} {chart.get('unit', '')}".strip(): chart for chart in drawn}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/pages/portfolios", ["Name has", "Ever held", PORTFOLIO]),
        (PORTFOLIO, ["USD 101", "Month to date", "VaR 95 %", "Holdings", "± 0.05", "It is quoted in another currency"]),
        (f"{PORTFOLIO}/explain/equity", ["101.0, the same", "unchanged since", "back to the portfolio"]),
    ],
)
async def test_page_is_whole_and_shows_what_others_wrote_as_text(address: str, shown: list[str]) -> None:
    async with World(everything()).pages() as browser:
        answer = await browser.get(address)

    assert answer.status_code == 200, answer.text
    assert wrongs_of(answer.text) == []
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert [each for each in shown if each not in answer.text] == []
    assert answer.text.count("<h1") == 1


async def test_every_number_that_is_explained_opens_its_explanation_at_the_session_that_is_shown() -> None:
    async with World(everything()).pages() as browser:
        page = (await browser.get(f"{PORTFOLIO}?as_of=2022-12-28")).text

    opened = re.findall(rf'<a class="told[^"]*" href="{PORTFOLIO}/explain/([\w.]+)\?as_of=2022-12-28" hx-get=', page)
    for measure in ("equity", "pnl", "daily_return", "twr_index", "cash", "volatility_63d", "market_beta"):
        assert measure in opened
    assert {"market_down_10", "market_down_10.model"} <= set(opened)


async def test_charts_say_what_they_are_drawn_from() -> None:
    async with World(everything()).pages() as browser:
        charts = _charts((await browser.get(PORTFOLIO)).text)

    assert charts["line money"]["values"] == [100.0, 100.0]
    assert charts["line percent"]["values"] == [0.0, None]
    assert charts["across money"]["bars"] == [{"name": "Market Down 10%", "value": -22000.0}]
    assert charts["across percent"]["bars"] == [{"name": "specific", "value": 0.05}, {"name": "value", "value": 0.1}]
    assert charts["waterfall"]["steps"] == [{"name": "market", "value": -25000.0}, {"name": "value", "value": 3000.0}]
    assert charts["heat"]["cells"] == [[1.0, None], [None, 1.0]]


async def test_explanation_that_a_page_asks_for_is_a_part_of_it() -> None:
    async with World(everything()).pages() as browser:
        part = (await browser.get(f"{PORTFOLIO}/explain/equity", headers={"HX-Request": "true"})).text

    assert "<html" not in part
    assert wrongs_of(part) == []


async def test_what_changed_is_a_part_that_adds_up_and_says_what_it_cannot_tell() -> None:
    async with World(everything()).pages() as browser:
        part = (await browser.get(f"{PORTFOLIO}/changes")).text

    assert wrongs_of(part) == []
    for told in ("10,000.00", "+500.00", "+140.00", "10,640.00", "1.1000", "+0.1500", "1.2500", "12 of 63 returns"):
        assert told in part


async def test_first_session_has_nothing_to_be_compared_with() -> None:
    said = (404, {"detail": "there is no snapshot before"})
    async with World({**everything(), f"GET /portfolios/{ID}/changes": said}).pages() as browser:
        part = await browser.get(f"{PORTFOLIO}/changes")

    assert (part.status_code, "there is no snapshot before" in part.text) == (200, True)


async def test_portfolio_that_was_not_valued_or_assessed_says_so() -> None:
    nothing = listed()
    async with World({**everything(), "GET /risk": nothing}).pages() as browser:
        assert "has not been assessed yet" in (await browser.get(PORTFOLIO)).text
    unvalued = (404, {"detail": "has no snapshot"})
    async with World({**everything(), f"GET /portfolios/{ID}/performance": unvalued}).pages() as browser:
        answer = await browser.get(PORTFOLIO)
        assert (answer.status_code, "has not been valued" in answer.text) == (404, True)


async def test_list_asks_for_what_is_looked_for_and_pages_keep_it() -> None:
    world = World({**everything(), "GET /portfolios": (200, {"items": [], "next": "abc"})})
    async with world.pages() as browser:
        await browser.get("/pages/portfolios?named=grow&symbol=AAPL&cursor=xyz")

    (asked,) = world.sent("GET /portfolios")
    assert dict(asked.url.params) == {"named": "grow", "symbol": "AAPL", "cursor": "xyz", "limit": "100"}


async def test_day_that_is_none_is_refused() -> None:
    async with World(everything()).pages() as browser:
        answer = await browser.get(f"{PORTFOLIO}?as_of=yesterday")

    assert (answer.status_code, "was yesterday" in answer.text) == (422, True)
