"""Cases from real books on the running platform: each book is what a statement says, to the cent or 1e-9."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.market_data.settings import MarketDataSettings
from shared.factor_set import FactorSet
from tests.cases.prices import MARKET, write_cases
from tests.support.platform import Json, Platform, running_platform
from tests.support.stack import Servers

pytestmark = pytest.mark.slow

ONLY_MARKET = FactorSet(
    value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, market=MARKET, rate=None
)


@pytest.fixture(scope="module")
async def platform(own_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    directory = tmp_path_factory.mktemp("cases")
    write_cases(directory)
    sources = MarketDataSettings(providers=("files",), files_dir=directory)
    async with running_platform(own_servers, sources, ONLY_MARKET) as running:
        yield running


def bought(symbol: str, quantity: str, price: str, on: str) -> Json:
    """A position as it is entered."""
    return {"symbol": symbol, "kind": "LONG", "quantity": quantity, "entry_date": on, "entry_price": price}


async def enter(platform: Platform, name: str, *positions: Json, equity: str, opened: str, as_of: str) -> str:
    """Enter a book, wait until it is valued as of a session, and return its id."""
    terms = {"opening_equity": equity, "opened_on": opened, "as_of": as_of}
    entered = await platform.api.post("/portfolios", {"name": name, "positions": list(positions), **terms})
    await platform.api.ended(entered["run_id"])
    portfolio_id: str = entered["portfolio_id"]
    return portfolio_id


async def pay(platform: Platform, portfolio_id: str, on: str, amount: str, *, as_of: str) -> None:
    """Pay money into a book, or take it out, and wait until that is valued."""
    paid = await platform.api.post(f"/portfolios/{portfolio_id}/flows?as_of={as_of}", {"on": on, "amount": amount})
    await platform.api.ended(paid["run_id"])


async def snapshots(platform: Platform, portfolio_id: str) -> dict[str, Json]:
    """What is served of a book, by session."""
    served = await platform.api.items(f"/portfolios/{portfolio_id}/snapshots")
    return {entry["as_of"]: entry for entry in served}


async def values(platform: Platform, portfolio_id: str, as_of: date) -> dict[str, Json]:
    """What is served of the positions of a book at a session, by symbol."""
    served = await platform.api.items(f"/portfolios/{portfolio_id}/values", as_of=str(as_of))
    return {entry["symbol"]: entry for entry in served}


async def test_case_9_rounded_split_factor_leaves_whole_shares(platform: Platform) -> None:
    lot = bought("RNDF", "700", "30", "2022-12-19")
    book = await enter(platform, "rounded factor", lot, equity="30000", opened="2022-12-19", as_of="2022-12-22")

    held = (await values(platform, book, date(2022, 12, 22)))["RNDF"]

    assert (float(held["quantity"]), float(held["market_value"])) == (100.0, 21_000.0)


@pytest.mark.parametrize("withdrawn", ["9990", "10099", "10100"])
async def test_case_5_withdrawals_on_the_day_of_the_sale_leave_at_the_close(platform: Platform, withdrawn: str) -> None:
    lot = bought("SOLD", "100", "100", "2022-12-19") | {"exits": [{"on": "2022-12-21", "price": "101"}]}
    name = f"sold and {withdrawn} taken"
    book = await enter(platform, name, lot, equity="10000", opened="2022-12-19", as_of="2022-12-28")
    await pay(platform, book, "2022-12-21", f"-{withdrawn}", as_of="2022-12-28")

    served = await snapshots(platform, book)

    assert served["2022-12-21"]["daily_return"]["value"] == pytest.approx(0.01, abs=1e-9)
    assert float(served["2022-12-21"]["equity"]) == 10_100 - float(withdrawn)
    assert served["2022-12-28"]["twr_index"]["value"] == pytest.approx(1.01, abs=1e-9)


async def test_case_6_money_that_comes_late_has_the_rate_of_its_own_time(platform: Platform) -> None:
    lot, end = bought("LATE", "10", "100", "2022-06-01"), "2022-12-28"
    late = await enter(platform, "opened before", lot, equity="0", opened="2022-01-03", as_of=end)
    prompt = await enter(platform, "opened with it", lot, equity="0", opened="2022-06-01", as_of=end)
    for book in (late, prompt):
        await pay(platform, book, "2022-06-01", "1000", as_of=end)

    rates = [await platform.api.get(f"/portfolios/{book}/performance", last=end) for book in (late, prompt)]

    assert rates[0]["mwr"]["value"] == pytest.approx(0.1, abs=1e-9)
    assert rates[0]["mwr"] == rates[1]["mwr"]
    assert [rate["mwr_annual"]["reason"] for rate in rates] == ["NOT_APPLICABLE"] * 2


@pytest.mark.parametrize(
    ("basis", "quantity", "cost", "unrealised"),
    [("AS_TRADED", 10.5, "2100.00", "105.00"), ("AS_OF_OPENING", 7.0, "2100.00", "-630.00")],
)
async def test_case_8_lot_from_before_a_split_is_in_the_shares_that_it_says(
    platform: Platform, basis: str, quantity: float, cost: str, unrealised: str
) -> None:
    lot = bought("PRIO", "7", "300", "2022-06-15") | {"basis": basis}
    book = await enter(platform, f"lot {basis}", lot, equity="10000", opened="2022-08-01", as_of="2022-12-28")

    held = (await values(platform, book, date(2022, 12, 28)))["PRIO"]

    assert (held["quantity"], held["cost"], held["unrealised_pnl"]) == (quantity, cost, unrealised)
    assert held["gain_reason"] is None


async def test_lot_older_than_its_prices_has_no_gain(platform: Platform) -> None:
    lot = bought("PRIO", "7", "300", "2021-06-15")
    book = await enter(platform, "older than its prices", lot, equity="10000", opened="2022-08-01", as_of="2022-12-28")

    held = (await values(platform, book, date(2022, 12, 28)))["PRIO"]

    assert (held["unrealised_pnl"], held["realised_pnl"], held["gain_reason"]) == (None, None, "MISSING_DATA")
