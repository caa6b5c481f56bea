"""Bad input through the `files` provider: a typed reason where a person sees it, everything else goes on."""

import json
from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.market_data.settings import MarketDataSettings
from shared.calendar import sessions_between
from shared.factor_set import FactorSet
from tests.support.platform import Json, Platform, running_platform
from tests.support.price_directories import PriceDirectory
from tests.support.stack import Servers

BEFORE, LAST = date(2022, 12, 27), date(2022, 12, 28)
SPOILT = date(2022, 12, 22)
ONLY_MARKET = FactorSet(
    value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, market="MKT", rate=None
)
BAD = {
    "HOLE": [],
    "ZERO": [f"ZERO,{SPOILT},0,,"],
    "NEGATIVE": [f"NEGATIVE,{SPOILT},-5,,"],
    "NOTANUM": [f"NOTANUM,{SPOILT},NaN,,"],
    "TWICE": [f"TWICE,{SPOILT},100.5,,", f"TWICE,{SPOILT},100.5,,"],
    "TORN": [f"TORN,{SPOILT},100.5,,", f"TORN,{SPOILT},101.5,,"],
    "AHEAD": ["AHEAD,2099-01-05,100,,"],
    "SUNDAY": ["SUNDAY,2022-12-25,100,,"],
    "WORDS": [f"WORDS,{SPOILT},cheap,,"],
    "CELLS": [f"CELLS,{SPOILT},100,,,7,8"],
    "NODATE": ["NODATE,22/12/2022,100,,"],
}
# symbol -> the rules that its rows break
RULES = {
    "ZERO": {"NON_POSITIVE_CLOSE"},
    "NEGATIVE": {"NON_POSITIVE_CLOSE"},
    "NOTANUM": {"NON_FINITE_CLOSE"},
    "TWICE": {"DUPLICATE_IDENTICAL"},
    "TORN": {"DUPLICATE_CONFLICTING"},
    "AHEAD": {"FUTURE_DATE"},
    "SUNDAY": {"OFF_SESSION"},
    "WORDS": {"UNPARSABLE_NUMBER"},
    "CELLS": {"WRONG_CELL_COUNT"},
    "NODATE": {"UNPARSABLE_DATE"},
}
KEEPS_THE_SESSION = {"TWICE", "AHEAD", "SUNDAY", "NODATE"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> PriceDirectory:
    prices = PriceDirectory(tmp_path_factory.mktemp("prices"))
    prices.add("MKT", "GOOD", "OTHER", *BAD, last=LAST)
    for symbol, lines in BAD.items():
        if symbol not in {"AHEAD", "SUNDAY", "NODATE"}:
            del prices.closes[symbol][SPOILT]
        prices.extra += lines
    return prices


@pytest.fixture(scope="module")
async def platform(own_servers: Servers, directory: PriceDirectory) -> AsyncIterator[Platform]:
    directory.write()
    sources = MarketDataSettings(providers=("files",), files_dir=directory.path)
    async with running_platform(own_servers, sources, ONLY_MARKET) as running:
        yield running


async def onboard(platform: Platform, name: str, *symbols: str, as_of: date) -> tuple[Json, Json]:
    """Enter a portfolio of ten of each and return what was answered and the run when it has ended."""
    positions = [
        {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": "2022-11-01", "entry_price": "100"}
        for symbol in symbols
    ]
    terms = {"opening_equity": "50000", "opened_on": "2022-12-19", "as_of": str(as_of)}
    entered = await platform.api.post("/portfolios", {"name": name, "positions": positions, **terms})
    return entered, await platform.api.ended(entered["run_id"])


async def closes_of(platform: Platform, symbol: str) -> dict[str, float]:
    bars = (await platform.api.get(f"/prices/{symbol}"))["items"]
    return {bar["session"]: bar["close"] for bar in bars}


async def test_bad_rows_are_findings_with_file_and_line_and_the_rest_is_loaded(
    platform: Platform, directory: PriceDirectory
) -> None:
    lines = directory.write()

    entered, run = await onboard(platform, "bad rows", "GOOD", *BAD, "NOWHERE", as_of=LAST)

    assert run["status"] == "completed_with_errors"
    assert [(failure["subject"], failure["reason"]) for failure in run["failures"]] == [("NOWHERE", "MISSING_DATA")]
    assert "files: not in prices.csv" in run["failures"][0]["detail"]

    findings: list[Json] = await platform.api.items("/findings")
    rules: dict[str, set[str]] = {}
    for finding in findings:
        assert finding["file"] == "prices.csv"
        assert finding["line"] in lines.values()
        spoilt_by = finding["symbol"] or _symbol_on(lines, finding["line"])
        rules.setdefault(spoilt_by, set()).add(finding["rule"])
    assert rules == RULES

    sessions = [str(day) for day in sessions_between(date(2022, 12, 1), LAST)]
    for symbol in ("GOOD", *BAD):
        closes = await closes_of(platform, symbol)
        expected = [day for day in sessions if day != str(SPOILT) or symbol in {"GOOD", *KEEPS_THE_SESSION}]
        assert [day for day in closes if day >= "2022-12-01"] == expected, symbol

    snapshots = await platform.api.items(f"/portfolios/{entered['portfolio_id']}/snapshots")
    stale = {entry["as_of"]: entry["stale_positions"] for entry in snapshots}
    carried = len(BAD) - len(KEEPS_THE_SESSION)
    assert stale == {day: carried if day == str(SPOILT) else 0 for day in stale}
    hole = await platform.api.get("/symbols/HOLE", as_of=str(LAST))
    market = next(entry for entry in hole["factors"]["factors"] if entry["factor"] == "market_beta")
    assert market["n_observations"] == 88, "a hole costs the two returns that touch it, and is not bridged"


def _symbol_on(lines: dict[str, int], number: int) -> str:
    return next(text.split(",")[0] for text, line in lines.items() if line == number)


async def test_statements_of_a_file_are_announced_to_whoever_needs_them_and_a_restatement_as_a_revision(
    platform: Platform, directory: PriceDirectory
) -> None:
    header = "symbol,statement,frequency,period_end,published_on,currency,total_revenue,net_income,total_assets"
    rows = [
        "GOOD,income,quarterly,2022-09-30,2022-11-01,USD,1000,100,",
        "GOOD,balance,quarterly,2022-09-30,2022-11-01,USD,,,5000",
        "GOOD,income,annual,2021-12-31,,USD,3600,much,",
    ]
    directory.write()
    (directory.path / "fundamentals.csv").write_text("\n".join([header, *rows]) + "\n")

    _, first = await onboard(platform, "with statements", "GOOD", as_of=LAST)
    rows[0] = rows[0].replace(",100,", ",90,")
    (directory.path / "fundamentals.csv").write_text("\n".join([header, *rows]) + "\n")
    second = await platform.api.run(symbols=["GOOD"], last_session=str(LAST))

    assert (first["status"], second["status"]) == ("completed", "completed")
    announced = [await _announced_statements(platform, run["run"]["run_id"]) for run in (first, second)]
    known = {(s["statement"], s["frequency"]): (s["revision"], s["counts_from"], s["items"]) for s in announced[0]}
    assert known == {
        ("income", "quarterly"): (
            1,
            "2022-11-01",
            {"total_revenue": 1000.0, "net_income": 100.0, "net_margin": 0.1},
        ),
        ("balance", "quarterly"): (1, "2022-11-01", {"total_assets": 5000.0}),
        ("income", "annual"): (1, "2022-03-31", {"total_revenue": 3600.0}),
    }
    assert [(s["statement"], s["revision"], s["items"]["net_margin"]) for s in announced[1]] == [("income", 2, 0.09)]
    (period,) = (await platform.api.get("/fundamentals/GOOD", statement="income"))["items"]
    assert (period["revision"], period["items"]["net_income"], period["derived"]) == (2, 90.0, ["net_margin"])
    (finding,) = await platform.api.items("/findings", rule="UNPARSABLE_NUMBER", symbol="GOOD")
    assert (finding["file"], finding["line"], finding["day"]) == ("fundamentals.csv", 4, "2021-12-31")


async def _announced_statements(platform: Platform, run_id: str) -> list[Json]:
    query = (
        "SELECT convert_from(value, 'UTF8')::jsonb -> 'statements' AS statements FROM market_data.outbox "
        "WHERE topic = 'fundamentals.updated' AND run_id::text = $1"
    )
    return [statement for row in await platform.fetch(query, run_id) for statement in json.loads(row["statements"])]


async def test_file_without_a_column_fails_the_cells_that_need_it_and_heals_when_it_is_repaired(
    platform: Platform, directory: PriceDirectory
) -> None:
    directory.write(until=BEFORE)
    entered, run = await onboard(platform, "unreadable for a night", "OTHER", as_of=BEFORE)
    assert run["status"] == "completed"
    before = await closes_of(platform, "OTHER")

    directory.write(close="price")
    scope = {"symbols": ["OTHER"], "portfolio_ids": [entered["portfolio_id"]], "last_session": str(LAST)}
    broken = await platform.api.run(**scope)

    assert broken["status"] == "completed_with_errors"
    failed = {failure["subject"]: failure["detail"] for failure in broken["failures"]}
    assert "close" in failed["OTHER"]
    assert "prices.csv" in failed["OTHER"]
    assert await closes_of(platform, "OTHER") == before
    carried = (await platform.api.items(f"/portfolios/{entered['portfolio_id']}/snapshots"))[-1]
    assert (carried["as_of"], carried["revision"], carried["stale_positions"]) == (str(LAST), 1, 1)

    directory.write()
    healed = await platform.api.run(**scope)

    assert healed["status"] == "completed"
    assert (await closes_of(platform, "OTHER"))[str(LAST)] == directory.closes["OTHER"][LAST]
    final = (await platform.api.items(f"/portfolios/{entered['portfolio_id']}/snapshots"))[-1]
    assert (final["as_of"], final["revision"], final["stale_positions"]) == (str(LAST), 2, 0)


async def test_unreadable_bytes_fail_the_run_s_cells_and_not_the_chain(
    platform: Platform, directory: PriceDirectory
) -> None:
    (directory.path / "prices.csv").write_bytes(b"symbol,date,close\n\xff\xfe\x00GOOD,2022-12-28,\x80\n")

    entered, run = await onboard(platform, "never readable", "FRESH", as_of=LAST)

    assert run["status"] == "completed_with_errors"
    assert {failure["subject"] for failure in run["failures"]} >= {"FRESH"}
    assert all(failure["reason"] == "MISSING_DATA" for failure in run["failures"])
    values = await platform.api.items(f"/portfolios/{entered['portfolio_id']}/values")
    assert [(value["symbol"], value["mark_source"]) for value in values] == [("FRESH", "COST")]
    assert await platform.api.items("/dead-letters") == []


async def test_directory_that_is_gone_names_what_is_missing(platform: Platform, directory: PriceDirectory) -> None:
    directory.remove()

    _, run = await onboard(platform, "no file", "ABSENT", as_of=LAST)

    assert run["status"] == "completed_with_errors"
    detail = next(failure["detail"] for failure in run["failures"] if failure["subject"] == "ABSENT")
    assert str(directory.path) in detail
