"""FRED over a local server: rates as fractions, what is not quoted, and what it refuses."""

import re
from collections.abc import AsyncIterator
from datetime import date

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.findings import Rule
from services.market_data.providers.fred import FredProvider
from services.market_data.providers.vendor_errors import KeyRefused, RateLimited
from services.market_data.settings import Access
from tests.unit.market_data.providers.vendors import fred_server

KEY = "canary-6a02"
FIRST, LAST = date(2022, 3, 16), date(2022, 3, 18)


@pytest.fixture
async def fred(httpserver: HTTPServer) -> AsyncIterator[FredProvider]:
    provider = FredProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    yield provider
    await provider.close()


async def test_rates_are_fractions_and_a_day_without_a_quote_has_none(
    fred: FredProvider, httpserver: HTTPServer
) -> None:
    fred_server.serve(httpserver, key=KEY)

    fetched = await fred.fetch_rates(["DGS3MO"], FIRST, LAST)

    # 2022-03-16 is the 53rd weekday of the year: 0.51 + 52 hundredths.
    assert fetched.rates["DGS3MO"] == {FIRST: pytest.approx(0.0103), LAST: pytest.approx(0.0105)}
    assert fetched.findings == ()


async def test_series_that_does_not_exist_is_unavailable_though_the_status_is_400(
    fred: FredProvider, httpserver: HTTPServer
) -> None:
    fred_server.serve(httpserver, key=KEY)

    fetched = await fred.fetch_rates(["NOSUCH", "DGS10"], FIRST, LAST)

    assert set(fetched.rates) == {"DGS10"}
    assert fetched.unavailable["NOSUCH"].detail == "not in fred from 2022-03-16 to 2022-03-18"


async def test_key_that_is_none_is_refused_though_the_status_is_400(fred: FredProvider, httpserver: HTTPServer) -> None:
    fred_server.serve(httpserver, key="another")

    with pytest.raises(KeyRefused, match="api_key is not registered"):
        await fred.fetch_rates(["DGS10"], FIRST, LAST)


async def test_too_many_requests_end_the_asking(fred: FredProvider, httpserver: HTTPServer) -> None:
    limit = fred_server.error("Too Many Requests.  Exceeded Rate Limit", 429)
    httpserver.expect_request(re.compile(".*")).respond_with_response(limit)

    with pytest.raises(RateLimited, match="Exceeded Rate Limit"):
        await fred.fetch_rates(["DGS10", "DGS3MO"], FIRST, LAST)


@pytest.mark.parametrize("body", [[], {"observations": {}}, {"observations": None}, {}])
async def test_answer_without_a_list_of_observations_says_so(
    fred: FredProvider, httpserver: HTTPServer, body: object
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json(body)

    fetched = await fred.fetch_rates(["DGS10"], FIRST, LAST)

    assert fetched.rates == {}
    assert re.match("no (object|list of rows) but ", fetched.failed["DGS10"])


@pytest.mark.parametrize("value", ["n/a", None, "NaN", "Infinity", "101", {}])
async def test_value_that_is_no_rate_is_set_aside(fred: FredProvider, httpserver: HTTPServer, value: object) -> None:
    rows = [{"date": "2022-03-16", "value": value}, {"date": "2022-03-18", "value": "-0.05"}]
    httpserver.expect_request(re.compile(".*")).respond_with_json({"observations": rows})

    fetched = await fred.fetch_rates(["DGS10"], FIRST, LAST)

    assert fetched.rates == {"DGS10": {LAST: pytest.approx(-0.0005)}}
    assert [(finding.rule, finding.day) for finding in fetched.findings] == [(Rule.UNPARSABLE_NUMBER, FIRST)]
