"""The page of a portfolio: numbers open what they were made from, charts are drawn, what changed arrives."""

from playwright.async_api import expect

from tests.browser.tab import Tab
from tests.support.platform import Platform


async def test_number_of_a_portfolio_opens_its_explanation_and_closes_it_by_key(tab: Tab, platform: Platform) -> None:
    books = {each["name"]: each["portfolio_id"] for each in await platform.api.items("/portfolios")}
    await tab.go(f"/pages/portfolios/{books['steady']}")
    await expect(tab.page.get_by_text("the parts add up to the change")).to_be_visible()
    await expect(tab.page.locator("[data-chart] canvas").first).to_be_visible()

    await tab.page.locator("a.told").first.click()

    dialog = tab.page.locator("dialog[open]")
    await expect(dialog.get_by_text("Computed again")).to_be_visible()
    assert await tab.violations() == []
    await tab.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
