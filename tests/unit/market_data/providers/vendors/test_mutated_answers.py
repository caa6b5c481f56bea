"""Whatever a vendor sends, no number is invented of it, and each symbol has rows, a reason or a failure."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.window import sessions_array
from services.market_data.providers.fmp import FmpProvider
from services.market_data.providers.fred import FredProvider
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import FetchedBars, FetchedProfiles, ProviderError
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.providers.yahoo import YahooProvider
from services.market_data.providers.yahooquery import YahooqueryProvider
from services.market_data.settings import Access
from tests.unit.market_data.providers.vendors import (
    fmp_server,
    fred_server,
    massive_server,
    tiingo_server,
    yahoo_server,
    yahooquery_server,
)
from tests.unit.market_data.providers.vendors.invented import history
from tests.unit.market_data.providers.vendors.mutations import mutated

FIRST, LAST = date(2022, 3, 7), date(2022, 3, 18)
KEY = SecretStr("canary-3e77")
SESSIONS = sessions_array(FIRST, LAST)
CHART = yahoo_server.chart("KO", 0)
TRADED = {bar.day: bar.close for bar in history("KO")}
few = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def _answering(server: HTTPServer, path: str | re.Pattern[str], body: Any) -> Iterator[None]:
    server.clear()
    server.expect_request(path).respond_with_json(body)
    yield


def _check(fetched: FetchedBars) -> None:
    settled = [*fetched.rows.symbols, *fetched.unavailable, *fetched.failed]
    assert settled == ["KO"]
    with np.errstate(all="raise"):
        bars = check_rows(fetched.rows, Request(fetched.provider, SESSIONS, LAST)).bars
    for row, column in zip(*np.nonzero(bars.present), strict=True):
        assert bars.close[row, column] == pytest.approx(TRADED[bars.sessions[row].item()], rel=1e-9)


@few
@given(rows=mutated(tiingo_server.rows("KO", FIRST, LAST)))
async def test_mutated_rows_of_tiingo_invent_no_close(httpserver: HTTPServer, rows: list[Any]) -> None:
    provider = TiingoProvider(Access(httpserver.url_for(""), KEY))
    with _answering(httpserver, "/tiingo/daily/KO/prices", rows):
        _check(await provider.fetch_bars(["KO"], FIRST, LAST))
    await provider.close()


@few
@given(quotes=mutated(CHART["indicators"]["quote"]))
async def test_mutated_charts_of_yahoo_invent_no_close(httpserver: HTTPServer, quotes: list[Any]) -> None:
    provider = YahooProvider(Access(httpserver.url_for(""), KEY))
    chart = {**CHART, "indicators": {**CHART["indicators"], "quote": quotes}}
    with _answering(httpserver, re.compile("/v8/.*"), yahoo_server.ok(chart)):
        _check(await provider.fetch_bars(["KO"], FIRST, LAST))
    await provider.close()


@few
@example(quotes=[{**yahooquery_server.quote("KO"), "quoteType": []}], told=[yahooquery_server.summary()])
@given(quotes=mutated([yahooquery_server.quote("KO")]), told=mutated([yahooquery_server.summary()]))
async def test_mutated_quotes_and_summaries_of_yahooquery_are_facts_or_a_reason(
    httpserver: HTTPServer, quotes: list[Any], told: list[Any]
) -> None:
    url = httpserver.url_for("")
    provider = YahooqueryProvider(Access(url, KEY, cookies_url=f"{url}cookies"))
    with _answering(httpserver, "/v7/finance/quote", {"quoteResponse": {"result": quotes, "error": None}}):
        summaries = {"quoteSummary": {"result": told, "error": None}}
        httpserver.expect_request(re.compile("/v10/.*")).respond_with_json(summaries)
        httpserver.expect_request("/cookies").respond_with_data("")
        httpserver.expect_request("/v1/test/getcrumb").respond_with_data(yahooquery_server.CRUMB)
        fetched = await provider.fetch_profiles(["KO"])
    assert [*fetched.profiles, *fetched.unavailable, *fetched.failed] == ["KO"]
    await provider.close()


@few
@given(rows=mutated(massive_server.open_interest(massive_server.CONTRACT, FIRST, LAST)))
async def test_mutated_open_interest_of_massive_invents_no_contract(httpserver: HTTPServer, rows: list[Any]) -> None:
    provider = MassiveProvider(Access(httpserver.url_for(""), KEY))
    option = massive_server.CONTRACT.removeprefix("O:")
    with _answering(httpserver, "/options/v1/open-interest", massive_server.ok(rows)):
        told = (await provider.fetch_open_interest([option], FIRST, LAST)).told
    assert {(each.symbol, each.contracts) for each in told} <= {(option, 1_000 + on.day) for on in TRADED}
    await provider.close()


@few
# What can be no key of a set: found by a seed.
@example(
    by_session=False,
    rows=massive_server.rows("KO", FIRST, LAST),
    splits=massive_server.splits(),
    dividends=[{**each, "currency": []} for each in massive_server.dividends()],
)
@given(
    by_session=st.booleans(),
    rows=mutated(massive_server.rows("KO", FIRST, LAST)),
    splits=mutated(massive_server.splits()),
    dividends=mutated(massive_server.dividends()),
)
async def test_mutated_rows_and_events_of_massive_invent_no_close(
    httpserver: HTTPServer, by_session: bool, rows: list[Any], splits: list[Any], dividends: list[Any]
) -> None:
    provider = MassiveProvider(Access(httpserver.url_for(""), KEY))
    last = FIRST if by_session else LAST
    bars = [{"T": "KO", **row} if by_session and isinstance(row, dict) else row for row in rows]
    with _answering(httpserver, re.compile("/v2/aggs/.*"), massive_server.ok(bars)):
        httpserver.expect_request("/stocks/v1/splits").respond_with_json(massive_server.ok(splits))
        httpserver.expect_request("/stocks/v1/dividends").respond_with_json(massive_server.ok(dividends))
        _check(await provider.fetch_bars(["KO"], FIRST, last))
    await provider.close()


@few
@given(
    rows=mutated([fmp_server.statement("income-statement", "KO", "FY", year) for year in (2019, 2020, 2021)]),
    profiles=mutated([fmp_server.profile("KO")]),
)
async def test_mutated_rows_of_fmp_are_facts_items_or_findings(
    httpserver: HTTPServer, rows: list[Any], profiles: list[Any]
) -> None:
    provider = FmpProvider(Access(httpserver.url_for(""), KEY))
    with _answering(httpserver, re.compile("/stable/.*-statement"), rows):
        httpserver.expect_request("/stable/profile").respond_with_json(profiles)
        httpserver.expect_request("/stable/earnings-calendar").respond_with_json(rows)
        for fetched in (await provider.fetch_profiles(["KO"]), await provider.fetch_statements(["KO"])):
            known = fetched.profiles if isinstance(fetched, FetchedProfiles) else fetched.statements
            assert [*known, *fetched.unavailable, *fetched.failed] == ["KO"]
    await provider.close()


@few
@given(rows=mutated(fred_server.observations("DGS10", FIRST, LAST)))
async def test_mutated_observations_of_fred_invent_no_rate(httpserver: HTTPServer, rows: list[Any]) -> None:
    provider = FredProvider(Access(httpserver.url_for(""), KEY))
    quoted = {row["date"]: row["value"] for row in fred_server.observations("DGS10", FIRST, LAST)}
    with _answering(httpserver, "/fred/series/observations", {"observations": rows}):
        fetched = await provider.fetch_rates(["DGS10"], FIRST, LAST)
    assert [*fetched.rates, *fetched.unavailable, *fetched.failed] == ["DGS10"]
    for on, rate in fetched.rates.get("DGS10", {}).items():
        # A -1 in the place of a rate is one.
        assert rate == -0.01 or rate * 100 == pytest.approx(float(quoted[str(on)]))
    await provider.close()


@few
@given(rows=mutated([yahooquery_server.series(name) for name in ("annualTotalRevenue", "quarterlyTotalAssets")]))
async def test_mutated_series_of_yahooquery_are_items_or_a_reason(httpserver: HTTPServer, rows: list[Any]) -> None:
    provider = YahooqueryProvider(Access(httpserver.url_for(""), KEY))
    with _answering(httpserver, re.compile("/ws/.*"), {"timeseries": {"result": rows, "error": None}}):
        fetched = await provider.fetch_statements(["KO"])
    assert [*fetched.statements, *fetched.unavailable, *fetched.failed] == ["KO"]
    items = [value for each in fetched.statements.get("KO", ()) for value in each.items.values()]
    assert {*items} <= {1000.0, 1001.0}
    await provider.close()


# What is none of their fields is the same to them.
@settings(few, max_examples=12)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
@pytest.mark.parametrize("vendor", [MassiveProvider, TiingoProvider, YahooProvider])
async def test_any_json_at_all_is_rows_or_a_failure(
    httpserver: HTTPServer, vendor: type[MassiveProvider | TiingoProvider | YahooProvider], body: Any
) -> None:
    provider = vendor(Access(httpserver.url_for(""), KEY))
    with _answering(httpserver, re.compile(".*"), body):
        try:
            fetched = await provider.fetch_bars(["KO"], FIRST, LAST)
            assert fetched.rows.symbols == ()
        except ProviderError:
            pass
    await provider.close()
