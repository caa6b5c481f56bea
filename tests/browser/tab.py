"""A tab of Chromium that remembers what its console said and whom else it asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, Request, Response, expect

from tests.support.databases import OPERATOR_TOKEN
from tests.support.eventually import PATIENCE_S

expect.set_options(timeout=PATIENCE_S * 1000)

# What sticks out where nothing around it scrolls or is cut off.
STICKING_OUT = """() => {
  const width = window.innerWidth;
  const over = document.documentElement.scrollWidth - width;
  if (over <= 0) return [];
  const isFree = (element) => {
    for (let around = element.parentElement; around !== document.body; around = around.parentElement)
      if (getComputedStyle(around).overflowX !== "visible") return false;
    return true;
  };
  const found = [...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > width && isFree(element));
  return [`${over} px`, ...found.map(element => element.outerHTML.slice(0, 600))];
}"""


# Without slots: playwright leaves its handlers on whose methods they are.
@dataclass
class Tab:
    """A page of the platform at `url`."""

    url: str
    page: Page
    said: list[str] = field(default_factory=list)
    asked_elsewhere: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)

    async def go(self, path: str) -> Response:
        """Open a page of the platform."""
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        return answer

    async def violations(self) -> list[str]:
        """Return what axe finds wrong with the page as it is, and with which of its elements."""
        found = await Axe().run(self.page)
        return [
            f"{each['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    async def overhang(self) -> list[str]:
        """Return what makes the page wider than the window, and by how many pixels."""
        found: list[str] = await self.page.evaluate(STICKING_OUT)
        return found

    def hear(self, message: ConsoleMessage) -> None:
        """Remember what the console said."""
        self.said.append(f"{message.type}: {message.text}")

    def see(self, request: Request) -> None:
        """Remember whom the page asked beside the platform."""
        if not request.url.startswith(self.url):
            self.asked_elsewhere.append(request.url)

    async def confirm(self, dialog: Dialog) -> None:
        """Say yes, and remember to what."""
        self.confirmed.append(dialog.message)
        await dialog.accept()


@asynccontextmanager
async def opened_tab(browser: Browser, url: str, token: str | None = OPERATOR_TOKEN, **how: Any) -> AsyncIterator[Tab]:
    """Open a tab of whoever has the token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    context = await browser.new_context(extra_http_headers=headers, **how)
    try:
        tab = Tab(url, await context.new_page())
        tab.page.on("console", tab.hear)
        tab.page.on("pageerror", lambda error: tab.said.append(f"uncaught: {error}"))
        tab.page.on("request", tab.see)
        tab.page.on("dialog", tab.confirm)
        yield tab
    finally:
        await context.close()
