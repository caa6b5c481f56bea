"""Yahoo's quotes, summaries and statements over a local server: what is read of them, and what is asked for."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.tiers import Tier
from services.market_data.providers.vendor_errors import KeyRefused, RateLimited
from services.market_data.providers.yahooquery import YahooqueryProvider
from services.market_data.settings import Access
from shared.profile import FACTS
from tests.unit.market_data.providers.vendors import yahooquery_server


@pytest.fixture
async def yahoo(httpserver: HTTPServer) -> AsyncIterator[YahooqueryProvider]:
    url = httpserver.url_for("")
    provider = YahooqueryProvider(Access(url, SecretStr(""), cookies_url=f"{url}/cookies"))
    yield provider
    await provider.close()


def paths(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


async def test_profile_has_every_fact(yahoo: YahooqueryProvider, httpserver: HTTPServer) -> None:
    yahooquery_server.serve(httpserver)

    fetched = await yahoo.fetch_profiles(["BRK-B"])

    facts = fetched.profiles["BRK-B"].model_dump(exclude={"beta_as_of"})
    assert [name for name in FACTS if name != "beta_as_of" and facts[name] is None] == []
    assert fetched.findings == ()
    expected = {
        "name": "Mill & Loom Corp.",
        "ceo": "Ann Pippin",
        "is_etf": False,
        "dividend_yield": 0.0125,
        "last_updated": date(2022, 3, 30),
        "current_year_end_date": date(2022, 12, 31),
        "current_year_revenue_growth": 0.05,
        "next_quarter_eps_low": pytest.approx(1.35),
        "next_quarter_analyst_count": 12,
        "fiscal_year_end": "01-31",
        "fiscal_quarter_offset": 1,
        "next_earnings_date": date(2022, 4, 28),
        "next_earnings_expected_revenue": 9.4e9,
    }
    assert {name: facts[name] for name in expected} == expected


async def test_valuations_of_a_hundred_are_one_request_and_the_rest_one_each_where_it_is_due(
    yahoo: YahooqueryProvider, httpserver: HTTPServer
) -> None:
    yahooquery_server.serve(httpserver)
    await yahoo.fetch_profiles(["AAPL", "KO"])
    first = paths(httpserver)
    valued = frozenset({Tier.VALUATIONS})

    fetched = await yahoo.fetch_profiles(["AAPL", "KO"], {"AAPL": valued, "KO": valued | {Tier.DESCRIPTION}})

    assert first.count("/v7/finance/quote") == 1
    again = paths(httpserver)[len(first) :]
    assert (len(first), again) == (5, ["/v7/finance/quote", "/v10/finance/quoteSummary/KO"])
    assert (fetched.profiles["AAPL"].market_cap, fetched.profiles["AAPL"].sector) == (123_000_000_000, None)
    assert fetched.profiles["KO"].sector == "Technology"


async def test_what_is_traded_no_more_and_what_is_unknown_have_no_profile(
    yahoo: YahooqueryProvider, httpserver: HTTPServer
) -> None:
    yahooquery_server.serve(httpserver)

    fetched = await yahoo.fetch_profiles(["GONE", "KO", "NOSUCH"])

    assert list(fetched.profiles) == ["KO"]
    assert {why.detail for why in fetched.unavailable.values()} == {"not in yahooquery"}
    assert set(fetched.unavailable) == {"GONE", "NOSUCH"}


async def test_statements_are_of_both_frequencies_with_their_currency(
    yahoo: YahooqueryProvider, httpserver: HTTPServer
) -> None:
    yahooquery_server.serve(httpserver)

    fetched = await yahoo.fetch_statements(["KO", "NOSUCH"])

    told = {(each.period.statement, each.period.frequency, each.period.end): each for each in fetched.statements["KO"]}
    income = told["income", "quarterly", date(2021, 9, 30)]
    assert (income.items["total_revenue"], income.items["net_income"], income.currency) == (1000.0, 1000.0, "USD")
    assert told["balance", "annual", date(2021, 12, 31)].items == {"total_assets": 1001.0}
    assert len(told) == 12
    assert set(fetched.unavailable) == {"NOSUCH"}


async def test_crumb_that_became_none_is_asked_for_once_more(yahoo: YahooqueryProvider, httpserver: HTTPServer) -> None:
    yahooquery_server.serve(httpserver)
    await yahoo.fetch_profiles(["AAPL"])
    httpserver.clear()
    yahooquery_server.serve(httpserver, crumb="another")

    fetched = await yahoo.fetch_profiles(["KO"])

    assert list(fetched.profiles) == ["KO"]


@pytest.mark.parametrize(
    ("body", "status"), [("<html>consent</html>", 200), ("", 200), ('{"finance":{}}', 401), ("x" * 100, 200)]
)
async def test_page_in_the_place_of_a_crumb_is_none(
    yahoo: YahooqueryProvider, httpserver: HTTPServer, body: str, status: int
) -> None:
    httpserver.expect_request("/cookies").respond_with_data("", status=404)
    httpserver.expect_request("/v1/test/getcrumb").respond_with_data(body, status=status)

    with pytest.raises(KeyRefused, match="no crumb but"):
        await yahoo.fetch_profiles(["KO"])


async def test_too_many_requests_for_a_crumb_end_the_asking(yahoo: YahooqueryProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cookies").respond_with_data("Too Many Requests", status=429)

    with pytest.raises(RateLimited, match="Too Many Requests"):
        await yahoo.fetch_profiles(["KO"])
