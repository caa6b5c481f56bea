"""What holds for every page: silent, at home, legible to everybody, in any window, in dark and light, by keyboard."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from services.ops.board.paths import NAVIGATION
from tests.browser.conftest import HOSTILE
from tests.browser.tab import Tab, opened_tab
from tests.support.eventually import PATIENCE_S
from tests.support.platform import Platform

Scheme = Literal["dark", "light"]
WINDOWS = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 360, "height": 640}}


@pytest.fixture(scope="module")
async def addresses(platform: Platform) -> list[str]:
    """Every page, those of one thing too."""
    runs = (await platform.api.get("/runs"))["items"]
    failed = next(each["run"]["run_id"] for each in runs if each["status"] == "completed_with_errors")
    books = {each["name"]: each["portfolio_id"] for each in await platform.api.items("/portfolios")}
    hostile = books[HOSTILE]
    # A plan that is begun and ends at once: all of it is done.
    begun = await platform.api.post(
        "/backfills", {"first": "2022-12-27", "last": "2022-12-27", "symbols": ["AAA"], "portfolio_ids": []}
    )
    return [
        *(address for address, _ in NAVIGATION),
        *(f"/pages/runs/{failed}{part}" for part in ("", "/failures", "/log")),
        f"/pages/readiness/{hostile}",
        f"/pages/coverage?portfolio={hostile}&last=2022-12-28",
        *(f"/pages/portfolios/{portfolio_id}" for portfolio_id in books.values()),
        f"/pages/portfolios/{books['steady']}/explain/volatility_63d",
        f"/pages/backfills/{begun['backfill_id']}",
        "/pages/runs/nothing",
        "/pages/nothing",
    ]


@pytest.fixture(params=["dark", "light"])
async def looked(request: pytest.FixtureRequest, chromium: Browser, platform: Platform) -> AsyncIterator[Tab]:
    """A tab in dark or light."""
    async with opened_tab(chromium, platform.url, color_scheme=request.param) as tab:
        tab.page.set_default_timeout(PATIENCE_S * 1000)
        yield tab


async def test_page_is_silent_at_home_legible_and_fits_the_window(looked: Tab, addresses: list[str]) -> None:
    for address in addresses:
        looked.said.clear()
        answer = await looked.go(address)
        # The browser says itself that a page is none.
        refused = [f"error: Failed to load resource: the server responded with a status of {answer.status}"]
        for window, size in WINDOWS.items():
            await looked.page.set_viewport_size(size)  # type: ignore[arg-type]
            assert await looked.violations() == [], (address, window)
            assert await looked.overhang() == [], (address, window)
        said = [line.partition(" (")[0] for line in looked.said]
        assert said == ([] if answer.ok else refused), address
    assert looked.asked_elsewhere == []


async def test_name_of_a_portfolio_is_text(tab: Tab, addresses: list[str]) -> None:
    (address,) = [each for each in addresses if each.startswith("/pages/readiness/")]
    await tab.go(address)
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert await tab.page.locator("main img").count() == 0


async def test_keyboard_reaches_the_content_and_every_page(tab: Tab) -> None:
    await tab.go("/")
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reached = []
    for _ in range(len(NAVIGATION) + 1):
        await tab.page.keyboard.press("Tab")
        reached.append(await tab.page.evaluate("document.activeElement.getAttribute('href')"))
    assert reached == ["/", *(address for address, _ in NAVIGATION)]

    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(NAVIGATION[-1][1])
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("main")).to_be_focused()


async def test_theme_is_chosen_and_kept(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="light")
    await tab.go("/")

    async def ground() -> str:
        colour: str = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return colour

    light = await ground()
    await tab.page.get_by_role("button", name="Dark or light").press("Enter")
    dark = await ground()
    assert dark != light
    await tab.go("/pages/runs")
    assert await ground() == dark
