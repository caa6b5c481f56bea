import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.market_data.core.findings import Rule
from services.market_data.core.statements import Period
from services.market_data.providers import http_session
from services.market_data.providers.fmp import FmpProvider
from services.market_data.providers.provider import ProviderError
from services.market_data.providers.vendor_errors import KeyRefused, NotEntitled, RateLimited
from services.market_data.settings import Access
from shared.profile import DESCRIPTION_LENGTH
from tests.unit.market_data.providers.vendors import fmp_server
from tests.unit.market_data.providers.vendors.answers import as_json

KEY = "canary-c4d1"
PROFILE = "/stable/profile"


@pytest.fixture
async def provider(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FmpProvider]:
    monkeypatch.setattr(http_session, "_date", lambda _: datetime.combine(fmp_server.TODAY, time(21, 30), UTC))
    provider = FmpProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    yield provider
    await provider.close()


async def test_profile_has_its_facts_in_our_units_and_counts_from_the_vendors_day(
    httpserver: HTTPServer, provider: FmpProvider
) -> None:
    fmp_server.serve(httpserver, key=KEY)

    facts = (await provider.fetch_profiles(["BRK-B"])).profiles["BRK-B"]

    assert (facts.symbol, facts.name, facts.employees) == ("BRK-B", "Mill & Loom Corp.", 1234)
    assert (facts.market_cap, facts.week_52_low, facts.week_52_high) == (123e9, 101.5, 199.25)
    assert (facts.beta, facts.beta_as_of, facts.last_updated) == (1.11, fmp_server.TODAY, fmp_server.TODAY)
    assert len(facts.description or "") == DESCRIPTION_LENGTH


async def test_next_earnings_of_all_symbols_cost_one_request(httpserver: HTTPServer, provider: FmpProvider) -> None:
    fmp_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_profiles(["AAPL", "BRK-B", "KO"])

    assert {facts.next_earnings_date for facts in fetched.profiles.values()} == {date(2022, 4, 28)}
    assert {facts.next_earnings_expected_eps for facts in fetched.profiles.values()} == {1.5}
    asked = [request.path for request, _ in httpserver.log]
    assert (asked.count("/stable/earnings-calendar"), len(asked)) == (1, 4)


async def test_profile_counts_without_the_calendar_too(httpserver: HTTPServer, provider: FmpProvider) -> None:
    httpserver.expect_request("/stable/earnings-calendar").respond_with_data(fmp_server.NO_ENDPOINT, status=402)
    fmp_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_profiles(["AAPL"])

    assert fetched.profiles["AAPL"].name == "Pippin Orchards Inc."
    assert fetched.profiles["AAPL"].next_earnings_date is None


async def test_field_that_cannot_be_used_costs_itself_and_is_a_finding(
    httpserver: HTTPServer, provider: FmpProvider
) -> None:
    odd = {**fmp_server.profile("AAPL"), "marketCap": -1, "isEtf": "maybe", "fullTimeEmployees": 1.5, "currency": "GBp"}
    httpserver.expect_request(PROFILE).respond_with_json([odd])

    fetched = await provider.fetch_profiles(["AAPL"])

    facts = fetched.profiles["AAPL"]
    assert (facts.market_cap, facts.is_etf, facts.employees, facts.ceo) == (None, None, None, "Ann Pippin")
    assert (facts.currency, facts.week_52_low) == ("GBP", 1.015), "prices in pence"
    assert {each.rule for each in fetched.findings} == {Rule.UNUSABLE_FIELD}
    assert sorted(each.detail for each in fetched.findings) == ["employees '1.5'", "is_etf 'maybe'", "market_cap '-1'"]


async def test_statements_of_both_frequencies_have_their_items_and_the_day_of_filing(
    httpserver: HTTPServer, provider: FmpProvider
) -> None:
    fmp_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_statements(["AAPL", "NOSUCH"])

    given = {each.period: each for each in fetched.statements["AAPL"]}
    assert len(given) == 3 * 2 * 2
    cash = given[Period("AAPL", "cash_flow", "quarterly", date(2021, 6, 30))]
    assert cash.items == {"operating_cash_flow": 300.0, "capital_expenditures": -80.0, "dividends_paid": -40.0}
    assert (cash.published_on, cash.currency, cash.fiscal_year, cash.fiscal_quarter) == (
        date(2021, 7, 23),
        "USD",
        2021,
        2,
    )
    annual = given[Period("AAPL", "income", "annual", date(2020, 12, 31))]
    assert (annual.fiscal_quarter, annual.items["basic_average_shares"]) == (None, 100.0)
    assert fetched.unavailable["NOSUCH"].detail == "no statements in fmp"


async def test_plan_without_quarters_has_the_years_and_is_not_asked_again(
    httpserver: HTTPServer, provider: FmpProvider
) -> None:
    def answer(request: Request) -> Response:
        if request.args["period"] == "quarter":
            return Response(fmp_server.NO_PERIOD, status=402)
        return as_json([fmp_server.statement(request.path.split("/")[2], request.args["symbol"], "FY", 2021)])

    httpserver.expect_request(re.compile("/stable/.*-statement")).respond_with_handler(answer)

    fetched = await provider.fetch_statements(["AAPL", "KO"])

    assert {each.period.frequency for rows in fetched.statements.values() for each in rows} == {"annual"}
    quarters = [request for request, _ in httpserver.log if request.args["period"] == "quarter"]
    assert len(quarters) == 1


async def test_symbol_that_the_plan_does_not_have_keeps_no_other_from_its_answer(
    httpserver: HTTPServer, provider: FmpProvider
) -> None:
    httpserver.expect_request(PROFILE, query_string={"symbol": "AAPL"}).respond_with_data(
        fmp_server.NO_SYMBOL, status=402
    )
    fmp_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_profiles(["AAPL", "KO"])

    assert list(fetched.profiles) == ["KO"]
    assert "value set for 'symbol'" in fetched.failed["AAPL"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (fmp_server.LIMIT, 429, RateLimited),
        (fmp_server.LIMIT, 200, RateLimited),
        (fmp_server.BAD_KEY, 401, KeyRefused),
        (fmp_server.BAD_KEY, 200, KeyRefused),
        ({"Error Message": "Legacy Endpoint : no longer supported"}, 403, NotEntitled),
        ({"Error Message": "something else"}, 200, ProviderError),
        (fmp_server.NO_ENDPOINT, 402, NotEntitled),
        ({}, 200, ProviderError),
        ([1], 200, ProviderError),
    ],
)
async def test_answer_that_says_nothing_settles_nothing_under_any_status(
    httpserver: HTTPServer, provider: FmpProvider, body: Any, status: int, error: type[Exception]
) -> None:
    said = httpserver.expect_request(PROFILE)
    if isinstance(body, str):
        said.respond_with_data(body, status=status, content_type="text/plain")
    else:
        said.respond_with_json(body, status=status)

    try:
        fetched = await provider.fetch_profiles(["AAPL"])
    except error:
        return
    assert error is ProviderError
    assert list(fetched.failed) == ["AAPL"]
