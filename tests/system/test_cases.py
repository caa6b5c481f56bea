"""Cases from real books on the running platform: each book is what a statement says, to the cent or 1e-9."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date

import pytest
from typer.testing import CliRunner

from services.market_data.settings import MarketDataSettings
from services.ops.cli import app
from shared.calendar import sessions_between
from shared.factor_set import FactorSet
from tests.cases.prices import MARKET, write_cases
from tests.support.databases import OPERATOR_TOKEN
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


async def cli(platform: Platform, *arguments: str) -> Json:
    """What a command answers."""
    options = [*arguments, "--url", platform.url, "--json"]
    environment = {"SIGMASIGHT_TOKEN": OPERATOR_TOKEN}
    done = await asyncio.to_thread(CliRunner().invoke, app, options, env=environment)
    assert done.exit_code == 0, done.output
    answer: Json = json.loads(done.stdout)
    return answer


async def pnl(platform: Platform, portfolio_id: str) -> dict[str, float]:
    """What a book earned, by session."""
    return {day: float(entry["pnl"]) for day, entry in (await snapshots(platform, portfolio_id)).items()}


async def rules(platform: Platform, symbol: str) -> set[tuple[str, str]]:
    """What was found wrong with a symbol's bars, by session."""
    return {(entry["day"], entry["rule"]) for entry in await platform.api.items("/findings", symbol=symbol)}


@pytest.mark.parametrize("opened", ["2023-03-07", "2023-04-03"])
async def test_case_1_crash_after_a_halt_is_marked_at_its_closes_wherever_the_book_begins(
    platform: Platform, opened: str
) -> None:
    lot, first = bought("HALT", "100", "280", "2023-03-06"), max(opened, "2023-03-09")
    book = await enter(platform, f"halted {opened}", lot, equity="50000", opened=opened, as_of=first)
    scope: Json = {"symbols": ["HALT"], "portfolio_ids": [book]}
    for day in ("2023-03-28", "2023-03-29", "2023-04-06"):
        if day > first:
            await platform.api.run(**scope, last_session=day)

    held = (await values(platform, book, date(2023, 4, 6)))["HALT"]

    assert (float(held["market_value"]), held["mark_source"], held["mark_age"]) == (80.0, "CLOSE", 0)
    assert await rules(platform, "HALT") == set()


async def test_case_2_return_of_capital_explains_the_fall(platform: Platform) -> None:
    lot = bought("CAPR", "100", "41", "2023-03-07")
    book = await enter(platform, "capital returned", lot, equity="10000", opened="2023-03-07", as_of="2023-03-14")

    held = (await values(platform, book, date(2023, 3, 14)))["CAPR"]
    earned = await pnl(platform, book)

    assert (float(held["market_value"]), held["mark_age"]) == (385.0, 0)
    # 383 and 3,739 of dividends after 4,120
    assert earned["2023-03-10"] == 2.0
    assert float((await snapshots(platform, book))["2023-03-10"]["dividends"]) == 3_739.0
    assert await rules(platform, "CAPR") == set()


async def test_case_3_split_of_closes_that_are_adjusted_already_leaves_the_quantity(platform: Platform) -> None:
    lot = bought("ADJF", "100", "100", "2022-12-19")
    book = await enter(platform, "adjusted already", lot, equity="20000", opened="2022-12-19", as_of="2022-12-22")

    held = (await values(platform, book, date(2022, 12, 21)))["ADJF"]

    assert float(held["quantity"]) == 100.0
    assert (await pnl(platform, book))["2022-12-21"] == 100.0
    assert await rules(platform, "ADJF") == {("2022-12-21", "SPLIT_WITHOUT_MOVE")}


async def test_case_4_split_that_nobody_gives_is_inferred_and_flagged(platform: Platform) -> None:
    lot = bought("NOSP", "100", "80", "2022-12-19")
    book = await enter(platform, "split not given", lot, equity="20000", opened="2022-12-19", as_of="2022-12-22")

    held = (await values(platform, book, date(2022, 12, 21)))["NOSP"]

    assert (float(held["quantity"]), held["inferred_splits"]) == (200.0, ["2022-12-21"])
    assert (await pnl(platform, book))["2022-12-21"] == -20.0
    explained = await platform.api.get(f"/portfolios/{book}/explain/pnl", as_of="2022-12-21")
    assert [(entry["split"], entry["split_inferred"]) for entry in explained["positions"]] == [(2.0, True)]
    assert await rules(platform, "NOSP") == {("2022-12-21", "INFERRED_SPLIT")}


async def test_split_that_an_operator_refuses_and_then_accepts_travels_to_the_books(platform: Platform) -> None:
    lot, day = bought("NOSP", "10", "80", "2022-12-19"), "2022-12-21"
    book = await enter(platform, "split in doubt", lot, equity="2000", opened="2022-12-19", as_of="2022-12-22")

    tried = await cli(platform, "refuse", "NOSP", day, "--why", "it was a sale", "--dry-run")
    before = (await snapshots(platform, book))[day]
    refused = await cli(platform, "refuse", "NOSP", day, "--why", "it was a sale")
    then = (await snapshots(platform, book))[day]
    await cli(platform, "accept", "NOSP", day, "--why", "it was none")
    after = (await snapshots(platform, book))[day]

    assert [(c["session"], c["split_before"], c["split_after"]) for c in tried["ruling"]["changes"]] == [
        (day, 2.0, 1.0)
    ]
    assert book in {portfolio["portfolio_id"] for portfolio in tried["portfolios"]}
    assert refused["run"]["status"] == "completed"
    # ten shares from 80.60 to 40.20, with and without ten more
    assert [float(entry["pnl"]) for entry in (before, then, after)] == [-2.0, -404.0, -2.0]
    assert (before["revision"], then["revision"], after["revision"]) == (1, 2, 3)
    decided = await platform.api.items("/findings/rulings", symbol="NOSP")
    assert [(entry["decision"], entry["why"]) for entry in decided] == [
        ("refuse", "it was a sale"),
        ("accept", "it was none"),
    ]


async def test_holding_that_is_traded_no_more_keeps_its_value_and_is_not_in_risk(platform: Platform) -> None:
    lots = [bought("GONE", "10", "50", "2022-11-21"), bought("SOLD", "10", "100", "2022-12-19")]
    book = await enter(platform, "delisted", *lots, equity="10000", opened="2022-11-21", as_of="2022-12-22")

    before = (await values(platform, book, date(2022, 12, 21)))["GONE"]
    held = (await values(platform, book, date(2022, 12, 22)))["GONE"]
    exposed = await platform.fetch("SELECT symbols FROM risk.books WHERE portfolio_id::text = $1", book)

    assert (before["mark_source"], before["mark_age"]) == ("CARRIED", 19)
    assert (held["mark_source"], held["mark_age"], float(held["market_value"])) == ("DELISTED", 20, 520.0)
    assert [sorted(row["symbols"]) for row in exposed] == [["DELISTED:GONE", "SOLD"]]
    assert await rules(platform, "GONE") == {("2022-11-23", "DELISTED")}


async def test_case_10_symbol_whose_every_row_is_bad_is_missing_with_what_was_found(platform: Platform) -> None:
    positions = [bought("BADR", "1", "5", "2022-12-20")]
    terms = {"opening_equity": "100", "opened_on": "2022-12-20", "as_of": "2022-12-27"}
    entered = await platform.api.post("/portfolios", {"name": "bad rows", "positions": positions, **terms})

    run = await platform.api.ended(entered["run_id"])

    (failure,) = (failure for failure in run["failures"] if failure["subject"] == "BADR")
    assert failure["reason"] == "MISSING_DATA"
    assert "files: its rows were rejected: 1 NON_POSITIVE_CLOSE, 1 UNPARSABLE_NUMBER" in failure["detail"]


async def test_case_7_what_is_quoted_in_another_currency_is_held_and_not_valued(platform: Platform) -> None:
    lots = bought("SHLP.L", "18.882", "2400", "2022-12-20"), bought("SAPE.DE", "10", "95", "2022-12-20")
    book = await enter(platform, "pence and euro", *lots, equity="100000", opened="2022-12-20", as_of="2022-12-22")

    held = await values(platform, book, date(2022, 12, 22))
    served = (await snapshots(platform, book))["2022-12-22"]

    assert {symbol: entry["value_reason"] for symbol, entry in held.items()} == {
        "SHLP.L": "CURRENCY_MISMATCH",
        "SAPE.DE": "CURRENCY_MISMATCH",
    }
    assert [entry["market_value"] for entry in held.values()] == [None, None]
    # 2,417 pence
    assert (held["SHLP.L"]["mark"], held["SHLP.L"]["quantity"]) == (24.17, 18.882)
    assert (served["equity"], served["gross"], served["unvalued_positions"]) == ("100000.00", "0.00", 2)


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


async def test_book_opened_before_the_usual_history_has_every_session_since(platform: Platform) -> None:
    lot = bought("LATE", "10", "100", "2021-06-01")
    book = await enter(platform, "opened long ago", lot, equity="1000", opened="2021-06-02", as_of="2022-12-28")

    served = await snapshots(platform, book)

    assert sorted(served) == [str(day) for day in sessions_between(date(2021, 6, 2), date(2022, 12, 28))]
    assert served["2022-12-28"]["equity"] == "1100.00"
    assert not any(entry["stale_positions"] for entry in served.values())
