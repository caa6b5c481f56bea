"""What an operator does on the board, from the first look to the end of it."""

import re

from playwright.async_api import Browser, expect

from tests.browser.conftest import DAY, NIGHT
from tests.browser.tab import Tab, opened_tab
from tests.support.bus_log import BusLog
from tests.support.databases import VIEWER_TOKEN
from tests.support.eventually import eventually
from tests.support.hold import without_an_end
from tests.support.platform import Json, Platform

STRUCK = "risk.store_betas"


async def test_run_is_seen_to_its_end_without_loading_the_page_again(tab: Tab, platform: Platform) -> None:
    over = {"first_session": str(DAY), "last_session": str(DAY)}
    async with without_an_end(platform.database.admin_url):
        opened = await platform.api.post("/runs", over)
        run_id = opened["run"]["run_id"]
        await tab.go("/")
        await tab.page.evaluate("window.isTheSame = true")
        stages = tab.page.locator(".stages tbody tr")
        await expect(tab.page.get_by_role("heading", name="Under way")).to_be_visible()
        # Risk is the last stage, and is held: all others are seen to come in.
        await expect(tab.page.locator(".stages tr.done")).to_have_count(6)
        await expect(stages.last).to_contain_text("portfolios.assessed")
        await expect(stages.last.locator(".squares i.in")).to_have_count(0)
    await expect(tab.page.locator(".progress .state")).to_have_text("completed with errors")
    await expect(tab.page.locator(".stages tr.done")).to_have_count(7)
    await expect(tab.page.locator(".causes")).to_contain_text("NOWHERE")
    assert await tab.page.evaluate("window.isTheSame")

    await tab.page.get_by_role("link", name=run_id[:8]).click()
    await expect(tab.page.locator(".log li").last).to_contain_text("completed with errors")


async def test_run_tells_its_log_as_it_happens_and_is_cancelled(tab: Tab, platform: Platform) -> None:
    async with without_an_end(platform.database.admin_url):
        opened = await platform.api.post("/runs", {"first_session": str(DAY), "last_session": str(DAY)})
        run_id = opened["run"]["run_id"]
        await tab.go(f"/pages/runs/{run_id}")
        await expect(tab.page.locator(".log li", has_text="portfolios.valued").first).to_be_visible()
        await tab.page.get_by_role("button", name="Cancel the run").click()
        await expect(tab.page.locator(".progress .state")).to_have_text("cancelled")
    assert tab.confirmed == ["End this run at once? What it has computed stays."]
    assert (await platform.api.ended(run_id))["status"] == "cancelled"
    # Each line once, whatever the parts were.
    lines = await platform.api.items(f"/runs/{run_id}/log")
    await expect(tab.page.locator(".log li span")).to_have_text([line["message"] for line in lines])


async def test_letter_is_redriven_when_the_bug_is_gone(tab: Tab, platform: Platform, bus_log: BusLog) -> None:
    bus_log.expect("handler failed")
    await platform.fetch(
        "CREATE FUNCTION public.strike() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''a bug''; END'"
    )
    await platform.fetch(
        "CREATE TRIGGER strike BEFORE INSERT ON risk.betas FOR EACH ROW EXECUTE FUNCTION public.strike()"
    )
    run = await platform.api.run(
        first_session=str(NIGHT), last_session=str(NIGHT), portfolio_ids=[await _id_of(platform)]
    )

    async def recorded() -> list[Json]:
        letters = await platform.api.items("/dead-letters", run_id=run["run"]["run_id"])
        return [letter for letter in letters if letter["consumer"] == STRUCK]

    (letter,) = await eventually(recorded)
    await platform.fetch("DROP TRIGGER strike ON risk.betas")

    await tab.go("/pages/dead-letters")
    await tab.page.get_by_role("link", name=letter["letter_id"][:8]).click()
    await expect(tab.page.locator("pre")).to_contain_text('"run_id"')
    await tab.page.get_by_label("Why it will work now").fill("repaired")
    await tab.page.get_by_role("button", name="Show what a redrive does").click()
    await expect(tab.page.locator("#plan")).to_contain_text(f"sent again to {STRUCK}")
    assert (await platform.api.get(f"/dead-letters/{letter['letter_id']}"))["status"] == "waiting"
    await tab.page.get_by_role("button", name="Redrive 1 letter").click()
    await expect(tab.page.locator(".progress")).to_contain_text("ended")
    await expect(tab.page.locator(".figure.good")).to_contain_text("Settled1")
    assert (await platform.api.get(f"/dead-letters/{letter['letter_id']}"))["status"] == "settled"


async def test_held_price_is_accepted_and_what_it_changes_is_run(tab: Tab, platform: Platform) -> None:
    await platform.api.run(first_session=str(NIGHT), last_session=str(NIGHT))
    await tab.go("/")
    await tab.page.get_by_role("link", name="1", exact=True).and_(tab.page.locator(".figure.warn a")).click()
    await tab.page.get_by_role("button", name=f"Accept JUMPY on {NIGHT}").click()
    weighed = tab.page.locator("#ruling")
    await expect(weighed.get_by_role("row", name=re.compile(f"{NIGHT} held"))).to_be_visible()
    await expect(weighed).to_contain_text("1 portfolio computed again: jumpy")
    assert str(NIGHT) not in await _sessions_of(platform)

    await tab.page.get_by_label("Why").fill("a merger")
    await tab.page.get_by_role("button", name="Accept and run what it changes").click()
    await expect(tab.page.locator(".progress .state")).to_have_text("completed")
    await expect(tab.page.get_by_role("heading", level=1)).to_contain_text("Correction run")
    assert str(NIGHT) in await _sessions_of(platform)
    await tab.go("/pages/findings?undecided=true")
    await expect(tab.page.locator("main")).to_contain_text("Nothing waits for a decision.")


async def test_backfill_is_planned_begun_and_cancelled(tab: Tab, platform: Platform) -> None:
    async with without_an_end(platform.database.admin_url):
        await tab.go("/pages/backfills")
        await tab.page.get_by_label("From").fill("2022-12-19")
        await tab.page.get_by_label("To").fill(str(DAY))
        await tab.page.get_by_label("Everything").check()
        await tab.page.get_by_role("button", name="Show the plan").click()
        await expect(tab.page.locator("#plan")).to_contain_text("First steps")
        assert await platform.api.items("/backfills") == []
        await tab.page.get_by_role("button", name="Begin this backfill").click()
        await expect(tab.page.locator(".stretches li.running").first).to_be_visible()
        await tab.page.get_by_role("button", name="Cancel").click()
        await expect(tab.page.locator(".progress .state")).to_have_text("cancelled")
    (stored,) = await platform.api.items("/backfills")
    assert stored["status"] == "cancelled"


async def test_schedule_is_paused_with_a_reason_and_resumed(tab: Tab, platform: Platform) -> None:
    await tab.go("/pages/schedule")
    await tab.page.get_by_label("Why").fill("a move <b>")
    await tab.page.get_by_role("button", name="Ask for no nights").click()
    await expect(tab.page.locator(".notice", has_text="a move <b>")).to_be_visible()
    assert (await platform.api.get("/schedule"))["pause"]["paused_by"] == "board"
    await tab.page.get_by_role("button", name="Resume").click()
    await expect(tab.page.get_by_label("Why")).to_be_visible()
    assert (await platform.api.get("/schedule"))["pause"] is None


async def test_viewer_looks_and_is_refused_what_an_operator_may(chromium: Browser, platform: Platform) -> None:
    async with opened_tab(chromium, platform.url, VIEWER_TOKEN) as tab:
        assert (await tab.go("/")).status == 200
        assert (await tab.go("/pages/dead-letters")).status == 403
        await expect(tab.page.get_by_role("heading", name="That takes another role")).to_be_visible()
        await tab.go("/pages/schedule")
        await tab.page.get_by_label("Why").fill("no")
        await tab.page.get_by_role("button", name="Ask for no nights").click()
        await expect(tab.page.get_by_role("alert")).to_contain_text("role operator is needed")
    assert (await platform.api.get("/schedule"))["pause"] is None


async def test_nobody_sees_more_than_how_to_sign_in(chromium: Browser, platform: Platform) -> None:
    async with opened_tab(chromium, platform.url, None) as tab:
        assert (await tab.go("/")).status == 401
        await expect(tab.page.get_by_role("heading", name="Sign in first")).to_be_visible()
        assert "steady" not in await tab.page.content()


async def _id_of(platform: Platform) -> str:
    portfolios = await platform.api.items("/portfolios")
    found: str = next(each["portfolio_id"] for each in portfolios if each["name"] == "steady")
    return found


async def _sessions_of(platform: Platform) -> set[str]:
    return {bar["session"] for bar in (await platform.api.get("/prices/JUMPY", first=str(DAY)))["items"]}
