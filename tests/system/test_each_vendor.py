"""A platform over each chain of vendors, from the command line: the same numbers, who answered and what it cost.

The vendors' addresses are settings (docs/settings.md): a process that somebody starts asks a server of this machine.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from services.ops.client.commands.options import ClientOptions
from services.ops.client.routes import PRICES, Route
from tests.support.command_line import answer, open_to_others, sigmasight, up
from tests.support.stack import wanted_broker
from tests.support.vendor_books import LAST, enter, numbers
from tests.unit.market_data.providers.vendors import (
    fmp_server,
    fred_server,
    massive_server,
    tiingo_server,
    yahoo_server,
    yahooquery_server,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker"),
]

KEY = "canary-77d0"
VENDORS = ("fmp", "fred", "massive", "tiingo", "yahoo", "yahooquery")
ONLY_MARKET = (
    '{"value":null,"growth":null,"momentum":null,"quality":null,"size":null,"low_volatility":null,'
    '"market":"AAPL","rate":null}'
)
PROFILE = Route("GET /profiles/{symbol}", dict[str, Any])
# Who can be asked for prices alone, four that have one kind each, and two of whom nobody has prices.
ALONE = ("massive", "tiingo", "yahoo")
TOGETHER = "fmp,yahooquery,tiingo,fred"
NO_BARS = "fmp,yahooquery"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory: each platform is the last one's, started anew over other vendors."""
    return open_to_others(tmp_path_factory.mktemp("each"))


@pytest.fixture(scope="module")
def environment(make_httpserver: HTTPServer) -> dict[str, str]:
    server, url = make_httpserver, make_httpserver.url_for("")
    yahoo_server.serve(server)
    yahooquery_server.serve(server)
    for keyed in (fmp_server, fred_server, massive_server, tiingo_server):
        keyed.serve(server, key=KEY)
    return {
        **{f"MARKET_DATA_{name.upper()}_URL": url for name in VENDORS},
        "MARKET_DATA_YAHOOQUERY_COOKIES_URL": server.url_for("/cookies"),
        **{f"{name}_API_KEY": KEY for name in ("FMP", "FRED", "POLYGON", "TIINGO")},
        "POLYGON_PLAN": "advanced",
        "TIINGO_PLAN": "power",
        "FMP_PLAN": "ultimate",
        "FACTOR_SET": ONLY_MARKET,
    }


@pytest.fixture(scope="module")
def over(data_dir: Path, environment: dict[str, str], make_httpserver: HTTPServer) -> Mapping[str, dict[str, Any]]:
    """What platforms say that were started over each chain, one after the other, of a book entered there."""
    told: dict[str, dict[str, Any]] = {}
    for number, chain in enumerate((*ALONE, TOGETHER, NO_BARS), start=1):
        before = len(make_httpserver.log)
        with up(data_dir, "--providers", chain, environment=environment):
            symbol = f"KO{number}"
            enter(data_dir, f"book{number}", symbol)
            told[chain] = _said(data_dir, chain, f"book{number}", symbol)
        told[chain]["heard"] = len(make_httpserver.log) - before
    return told


def _said(data_dir: Path, chain: str, name: str, symbol: str) -> dict[str, Any]:
    run_id = answer(data_dir, "runs", "list")[0]["run"]["run_id"]
    with ClientOptions(data_dir=data_dir).connected() as client:
        bars = client.get(PRICES.at(symbol=symbol), limit=1000)["items"]
        profile = client.get(PROFILE.at(symbol=symbol)) if chain in {TOGETHER, NO_BARS} else None
    return {
        "bars": bars,
        "show": answer(data_dir, "show", "portfolio", name, "--as-of", LAST),
        "why": answer(data_dir, "why", symbol, "--as-of", LAST),
        "status": answer(data_dir, "status"),
        "profile": profile,
        "run": answer(data_dir, "runs", "show", run_id),
        "report": sigmasight(data_dir, "runs", "show", run_id).stdout,
    }


def test_numbers_are_the_same_over_every_vendor_of_prices_alone(over: Mapping[str, dict[str, Any]]) -> None:
    by_massive, *others = ([*numbers([over[chain]["show"], over[chain]["bars"]])] for chain in ALONE)

    assert len(by_massive) > 1_000
    for other in others:
        assert other == pytest.approx(by_massive, rel=1e-6)


@pytest.mark.parametrize("chain", ALONE)
def test_vendor_that_answers_alone_is_said_with_its_requests(over: Mapping[str, dict[str, Any]], chain: str) -> None:
    told = over[chain]

    assert told["why"]["bar"]["source"] == chain
    assert told["why"]["attempts"] == [], "nobody was asked in vain"
    assert (told["status"]["state"], told["status"]["newest"]["failures"]) == ("ready", [])
    (requests,) = told["run"]["requests"]["vendors"]
    assert requests["vendor"] == chain
    assert 0 < requests["requests"] <= requests["estimated"]
    assert f"requests: {requests['requests']} to {chain} (at most {requests['estimated']} expected)" in told["report"]
    # Before the run somebody is asked whether he has the symbol at all.
    assert requests["requests"] < told["heard"] <= requests["requests"] + 3


def test_vendors_of_one_kind_each_are_put_together(over: Mapping[str, dict[str, Any]]) -> None:
    told = over[TOGETHER]

    assert told["why"]["bar"]["source"] == "tiingo"
    source = {fact: of["source"] for fact, of in told["profile"]["origins"].items()}
    assert (source["name"], source["market_cap"], source["pe_ratio"]) == ("fmp", "fmp", "yahooquery")
    asked = {each["vendor"]: each["requests"] for each in told["run"]["requests"]["vendors"]}
    assert asked.keys() == {"fmp", "fred", "tiingo", "yahooquery"}
    assert asked["fred"] == 2
    assert [*numbers(told["bars"])] == [*numbers(over["tiingo"]["bars"])]


def test_book_of_which_no_vendor_has_prices_is_said_to_have_none(over: Mapping[str, dict[str, Any]]) -> None:
    told = over[NO_BARS]

    assert told["why"]["bar"] is None
    (failure,) = told["status"]["newest"]["failures"]
    assert (failure["subject"], failure["detail"]) == ("KO5", "no provider serves KO5 (none is configured)")
    assert "no provider serves KO5" in told["report"]
    assert told["profile"]["profile"]["name"] == "Fizz Bottlers Co."
