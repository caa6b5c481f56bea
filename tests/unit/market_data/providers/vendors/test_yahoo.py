from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.providers.vendor_errors import OutOfOrder, RateLimited
from services.market_data.providers.yahoo import YahooProvider
from services.market_data.settings import Access
from tests.unit.market_data.providers.vendors import yahoo_server
from tests.unit.market_data.providers.vendors.invented import DIVIDEND_ON, SPLIT_ON, history
from tests.unit.market_data.providers.vendors.yahoo_server import ok

FIRST, LAST = date(2022, 3, 1), date(2022, 3, 31)
AAPL = "/v8/finance/chart/AAPL"


@pytest.fixture
async def provider(httpserver: HTTPServer) -> AsyncIterator[YahooProvider]:
    provider = YahooProvider(Access(httpserver.url_for(""), SecretStr("")))
    yield provider
    await provider.close()


@pytest.mark.parametrize("last", [date(2022, 3, 10), LAST], ids=["before the split", "beyond it"])
async def test_closes_are_as_traded_also_where_the_split_came_after_what_is_asked_for(
    httpserver: HTTPServer, provider: YahooProvider, last: date
) -> None:
    yahoo_server.serve(httpserver)

    rows = (await provider.fetch_bars(["KO"], FIRST, last)).rows

    traded = [bar for bar in history("KO") if FIRST <= bar.day <= last]
    for name in ("close", "open", "high", "low", "volume", "dividend"):
        assert getattr(rows, name).tolist() == pytest.approx([getattr(bar, name) for bar in traded]), name
    assert rows.day[rows.dividend != 0.0].tolist() == [DIVIDEND_ON]
    assert rows.day[rows.split != 1.0].tolist() == [day for day in [SPLIT_ON] if day <= last]


async def test_session_without_a_trade_is_no_row_and_prices_in_pence_are_in_pounds(
    httpserver: HTTPServer, provider: YahooProvider
) -> None:
    chart = yahoo_server.chart("AAPL", yahoo_server.stamp(date(2022, 3, 30)))
    chart["meta"]["currency"] = "GBp"
    chart["timestamp"] = chart["timestamp"][:2]
    columns = chart["indicators"]["quote"][0]
    for name in columns:
        columns[name] = [columns[name][0], None]
    chart["indicators"]["adjclose"][0]["adjclose"] = [columns["close"][0], None]
    httpserver.expect_request(AAPL).respond_with_json(ok(chart))

    rows = (await provider.fetch_bars(["AAPL"], FIRST, LAST)).rows

    assert rows.close.tolist() == [columns["close"][0] / 100.0]
    assert rows.adjusted.tolist() == rows.close.tolist()


@pytest.mark.parametrize("status", [200, 404])
async def test_symbol_that_is_not_known_is_settled_under_either_status(
    httpserver: HTTPServer, provider: YahooProvider, status: int
) -> None:
    httpserver.expect_request(AAPL).respond_with_json(yahoo_server.NOT_FOUND, status=status)

    fetched = await provider.fetch_bars(["AAPL"], FIRST, LAST)

    assert fetched.unavailable["AAPL"].detail == "not in yahoo from 2022-03-01 to 2022-03-31"


async def test_plain_text_of_too_many_requests_ends_the_asking(httpserver: HTTPServer, provider: YahooProvider) -> None:
    httpserver.expect_request(AAPL).respond_with_data("Edge: Too Many Requests", status=429, content_type="text/plain")

    with pytest.raises(RateLimited, match="Edge: Too Many Requests"):
        await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)
    assert len(httpserver.log) == 1


async def test_trouble_that_is_told_under_200_settles_nothing(httpserver: HTTPServer, provider: YahooProvider) -> None:
    trouble = {"code": "Internal Server Error", "description": "try later"}
    httpserver.expect_request(AAPL).respond_with_json({"chart": {"result": None, "error": trouble}})

    with pytest.raises(OutOfOrder, match="try later"):
        await provider.fetch_bars(["AAPL"], FIRST, LAST)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"timestamp": []}, "is not as long as its times"),
        ({"meta": {"exchangeTimezoneName": "Mars/Olympus"}}, "no time zone"),
        ({"events": {"splits": {"1": {"date": 1, "numerator": 4, "denominator": 0}}}}, "an event that cannot be read"),
        ({"indicators": {"quote": []}}, "no list of columns"),
        ({"indicators": None}, "no object but NoneType"),
    ],
)
async def test_chart_that_cannot_be_read_settles_nothing(
    httpserver: HTTPServer, provider: YahooProvider, changed: dict[str, Any], said: str
) -> None:
    chart = yahoo_server.chart("AAPL", yahoo_server.stamp(FIRST))
    httpserver.expect_request(AAPL).respond_with_json(ok({**chart, **changed}))

    fetched = await provider.fetch_bars(["AAPL"], FIRST, LAST)

    assert said in fetched.failed["AAPL"]
