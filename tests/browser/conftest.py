"""One platform with its pages, and one Chromium that looks at them, for the whole lane."""

import shutil
from collections.abc import AsyncIterator
from datetime import date

import pytest
from playwright.async_api import Browser, async_playwright

from services.market_data.settings import MarketDataSettings
from shared.factor_set import FactorSet
from tests.browser.tab import Tab, opened_tab
from tests.support.eventually import PATIENCE_S
from tests.support.platform import Platform, running_platform
from tests.support.price_directories import PriceDirectory
from tests.support.stack import Servers

DAY, NIGHT = date(2022, 12, 27), date(2022, 12, 28)
ONLY_MARKET = FactorSet(
    value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, market="MKT", rate=None
)
# Somebody's portfolio: its name is text, wherever it is shown.
HOSTILE = "<img src=x onerror=alert(1)>"
BOOKS = {"steady": ("AAA", "BBB"), "jumpy": ("JUMPY",), HOSTILE: ("AAA", "NOWHERE")}
FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


def chromium_of_the_system() -> str:
    """Return where the browser of the system is: none is fetched."""
    path = shutil.which("chromium")
    assert path is not None, "Chromium must be installed (Debian: apt-get install chromium)"
    return path


@pytest.fixture(scope="session")
async def platform(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Three portfolios over a session, of which one cannot be served whole; in the night the price of one jumps."""
    prices = PriceDirectory(tmp_path_factory.mktemp("prices"))
    prices.add("MKT", "AAA", "BBB", "JUMPY", last=NIGHT)
    prices.closes["JUMPY"][NIGHT] *= 40
    prices.write()
    sources = MarketDataSettings(providers=("files",), files_dir=prices.path)
    async with running_platform(servers, sources, ONLY_MARKET) as running:
        for name, symbols in BOOKS.items():
            positions = [
                {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": "2022-11-01", "entry_price": "100"}
                for symbol in symbols
            ]
            terms = {"opening_equity": "50000", "opened_on": "2022-12-19", "as_of": str(DAY)}
            entered = await running.api.post("/portfolios", {"name": name, "positions": positions, **terms})
            await running.api.ended(entered["run_id"])
        yield running


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of the system."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_of_the_system(), args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def tab(chromium: Browser, platform: Platform) -> AsyncIterator[Tab]:
    """A tab of an operator; it fails the test that has its console say something or asks anybody else for anything."""
    async with opened_tab(chromium, platform.url) as tab:
        tab.page.set_default_timeout(PATIENCE_S * 1000)
        yield tab
        assert (tab.said, tab.asked_elsewhere) == ([], [])
