from collections.abc import AsyncIterator
from datetime import date

import numpy as np
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.findings import Rule
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.providers.vendor_errors import KeyRefused, RateLimited
from services.market_data.settings import Access
from tests.unit.market_data.providers.vendors import tiingo_server
from tests.unit.market_data.providers.vendors.invented import DIVIDEND_ON, SPLIT_ON, history

KEY = "canary-81ac"
FIRST, LAST = date(2022, 3, 1), date(2022, 3, 31)
HOURLY = "Error: You have run over your hourly request allocation. Please upgrade."
MONTHLY = "You have run over your 500 symbol look up for this month. Please upgrade."


@pytest.fixture
async def provider(httpserver: HTTPServer) -> AsyncIterator[TiingoProvider]:
    provider = TiingoProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    yield provider
    await provider.close()


async def test_closes_are_as_traded_with_their_splits_and_dividends(
    httpserver: HTTPServer, provider: TiingoProvider
) -> None:
    tiingo_server.serve(httpserver, key=KEY)

    rows = (await provider.fetch_bars(["KO"], FIRST, LAST)).rows

    traded = [bar for bar in history("KO") if FIRST <= bar.day <= LAST]
    assert rows.close.tolist() == [bar.close for bar in traded]
    assert rows.volume.tolist() == [bar.volume for bar in traded]
    assert rows.day[rows.split != 1.0].tolist() == [SPLIT_ON]
    assert rows.day[rows.dividend != 0.0].tolist() == [DIVIDEND_ON]
    assert rows.split.max() == 2.0
    assert rows.dividend.max() == 0.22


async def test_key_that_is_none_is_refused_once(httpserver: HTTPServer, provider: TiingoProvider) -> None:
    tiingo_server.serve(httpserver, key="another")

    with pytest.raises(KeyRefused, match="Invalid token"):
        await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)

    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [200, 429])
async def test_spent_allowance_ends_the_asking_under_any_status(
    httpserver: HTTPServer, provider: TiingoProvider, status: int
) -> None:
    httpserver.expect_request("/tiingo/daily/AAPL/prices").respond_with_json(tiingo_server.rows("AAPL", FIRST, LAST))
    httpserver.expect_request("/tiingo/daily/KO/prices").respond_with_json({"detail": HOURLY}, status=status)

    fetched = await provider.fetch_bars(["AAPL", "KO", "PEP"], FIRST, LAST)

    assert fetched.rows.symbols == ("AAPL",)
    assert fetched.unavailable == {}
    assert fetched.failed == dict.fromkeys(("KO", "PEP"), f"rate limited: {HOURLY}")


async def test_spent_allowance_of_new_symbols_leaves_those_that_were_asked_for_before(
    httpserver: HTTPServer, provider: TiingoProvider
) -> None:
    httpserver.expect_request("/tiingo/daily/AAPL/prices").respond_with_data(MONTHLY)
    httpserver.expect_request("/tiingo/daily/KO/prices").respond_with_json(tiingo_server.rows("KO", FIRST, LAST))

    fetched = await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)

    assert (fetched.rows.symbols, fetched.failed) == (("KO",), {"AAPL": MONTHLY})


async def test_spent_allowance_before_any_answer_is_an_error(httpserver: HTTPServer, provider: TiingoProvider) -> None:
    httpserver.expect_request("/tiingo/daily/AAPL/prices").respond_with_data(HOURLY)

    with pytest.raises(RateLimited):
        await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)


async def test_rows_outside_of_the_dates_asked_for_are_left_out_and_those_without_a_day_reported(
    httpserver: HTTPServer, provider: TiingoProvider
) -> None:
    good = tiingo_server.rows("AAPL", date(2022, 2, 25), date(2022, 4, 5))
    httpserver.expect_request("/tiingo/daily/AAPL/prices").respond_with_json([None, {"date": "soon"}, *good])

    fetched = await provider.fetch_bars(["AAPL"], FIRST, LAST)

    assert fetched.rows.day.min() == np.datetime64(FIRST)
    assert fetched.rows.day.max() == np.datetime64(LAST)
    assert [(each.symbol, each.rule) for each in fetched.findings] == [("AAPL", Rule.UNPARSABLE_DATE)] * 2


async def test_answer_that_is_no_list_of_rows_settles_nothing(httpserver: HTTPServer, provider: TiingoProvider) -> None:
    httpserver.expect_request("/tiingo/daily/AAPL/prices").respond_with_json({"prices": []})
    httpserver.expect_request("/tiingo/daily/KO/prices").respond_with_json([])

    fetched = await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)

    assert fetched.failed == {"AAPL": "no list of rows but dict"}
    assert fetched.unavailable["KO"].detail == "not in tiingo from 2022-03-01 to 2022-03-31"
