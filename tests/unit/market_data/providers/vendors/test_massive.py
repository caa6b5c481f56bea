from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.findings import Rule
from services.market_data.core.plans import PLANS, Plan
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import FetchedBars
from services.market_data.providers.vendor_errors import KeyRefused, Malformed, NotEntitled, OutOfOrder
from services.market_data.settings import Access
from tests.unit.market_data.providers.vendors import massive_server
from tests.unit.market_data.providers.vendors.invented import DIVIDEND_ON, SPLIT_ON, history
from tests.unit.market_data.providers.vendors.massive_server import ok

KEY = "canary-a7f0"
FIRST, LAST = date(2022, 3, 1), date(2022, 3, 31)
EVE = date(2022, 3, 14)  # of the split
WHOLE_MARKET = "/v2/aggs/grouped/locale/us/market/stocks/"
EVENTS = ["/stocks/v1/splits", "/stocks/v1/dividends"]


@pytest.fixture
def make(httpserver: HTTPServer) -> Callable[..., MassiveProvider]:
    return lambda plan=PLANS["massive"]["advanced"]: MassiveProvider(
        Access(httpserver.url_for(""), SecretStr(KEY), plan)
    )


@pytest.fixture
async def provider(make: Callable[..., MassiveProvider]) -> AsyncIterator[MassiveProvider]:
    provider = make()
    yield provider
    await provider.close()


def _asked(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


def _column(fetched: FetchedBars, symbol: str, name: str) -> list[float]:
    of_it = fetched.rows.code == fetched.rows.symbols.index(symbol)
    values: list[float] = getattr(fetched.rows, name)[of_it].tolist()
    return values


@pytest.mark.parametrize("last", [SPLIT_ON, LAST])
async def test_bars_are_the_same_by_session_and_by_symbol_as_traded_with_their_events(
    httpserver: HTTPServer, provider: MassiveProvider, last: date
) -> None:
    massive_server.serve(httpserver, key=KEY)

    first = EVE if last == SPLIT_ON else FIRST
    fetched = await provider.fetch_bars(["KO", "AAPL", "BRK.B"], first, last)

    by_session = any(path.startswith(WHOLE_MARKET) for path in _asked(httpserver))
    assert by_session == (last == SPLIT_ON), "two sessions are fewer than three symbols, a month is not"
    for symbol in ("KO", "AAPL", "BRK.B"):
        traded = [bar for bar in history(symbol) if first <= bar.day <= last]
        for name in ("close", "open", "high", "low", "volume", "split", "dividend"):
            assert _column(fetched, symbol, name) == [getattr(bar, name) for bar in traded]
    assert np.isnan(fetched.rows.adjusted).all(), "they are derived from the events"


async def test_shards_of_a_run_share_the_sessions_and_the_events(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    massive_server.serve(httpserver, key=KEY)

    await provider.fetch_bars(["AAPL", "KO"], EVE, SPLIT_ON)
    again = await provider.fetch_bars(["BRK.B", "NOSUCH"], EVE, SPLIT_ON)

    assert _asked(httpserver) == [f"{WHOLE_MARKET}{EVE}", f"{WHOLE_MARKET}{SPLIT_ON}", *EVENTS]
    assert again.rows.symbols == ("BRK.B",)
    assert again.unavailable["NOSUCH"].detail == "not in massive from 2022-03-14 to 2022-03-15"


async def test_night_of_five_thousand_symbols_takes_four_requests(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    massive_server.serve(httpserver, key=KEY)

    for shard in range(10):
        await provider.fetch_bars(["AAPL", *(f"X{shard}.{number}" for number in range(499))], EVE, SPLIT_ON)

    assert len(httpserver.log) == 4, "the last stored session, the new one, its splits and its dividends"


async def test_dividend_that_is_told_twice_is_one_and_another_one_of_the_day_is_added(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    special = {**massive_server.dividends()[0], "distribution_type": "special", "cash_amount": 1.0}
    foreign = {**special, "currency": "CAD"}
    httpserver.expect_request(EVENTS[1]).respond_with_json(ok([*massive_server.dividends(), special, foreign]))
    massive_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_bars(["KO"], FIRST, LAST)

    assert dict(zip(fetched.rows.day.tolist(), fetched.rows.dividend.tolist(), strict=True))[DIVIDEND_ON] == 1.22
    assert [(each.symbol, each.rule, each.day) for each in fetched.findings] == [("KO", Rule.BAD_DIVIDEND, DIVIDEND_ON)]
    assert "CAD" in fetched.findings[0].detail


async def test_events_of_days_without_a_bar_belong_to_the_next_one_in_its_shares(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    bars = massive_server.rows("AAPL", FIRST, FIRST) + massive_server.rows("AAPL", LAST, LAST)
    httpserver.expect_request(f"/v2/aggs/ticker/AAPL/range/1/day/{FIRST}/{LAST}").respond_with_json(ok(bars))
    split = {"ticker": "AAPL", "execution_date": "2022-03-12", "split_from": 1, "split_to": 4}
    httpserver.expect_request(EVENTS[0]).respond_with_json(ok([split, {**split, "split_from": 0}]))
    paid = {"ticker": "AAPL", "ex_dividend_date": "2022-03-10", "cash_amount": 2.0, "currency": "USD"}
    later = {**paid, "ex_dividend_date": "2022-03-15", "cash_amount": 0.25}
    httpserver.expect_request(EVENTS[1]).respond_with_json(ok([paid, later]))

    fetched = await provider.fetch_bars(["AAPL"], FIRST, LAST)

    assert fetched.rows.split.tolist() == [1.0, 4.0]
    assert fetched.rows.dividend.tolist() == [0.0, 2.0 / 4.0 + 0.25]
    assert [each.rule for each in fetched.findings] == [Rule.BAD_SPLIT]


async def test_pages_are_followed_by_their_cursor_on_the_host_that_is_known(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    later = massive_server.dividends()[:1]
    elsewhere = "https://elsewhere.example/stocks/v1/dividends?cursor=abc"
    httpserver.expect_request(EVENTS[1], query_string={"cursor": "abc"}).respond_with_json(ok(later))
    httpserver.expect_request(EVENTS[1]).respond_with_json(ok([], next_url=elsewhere))
    massive_server.serve(httpserver, key=KEY)

    fetched = await provider.fetch_bars(["KO"], FIRST, LAST)

    assert fetched.rows.dividend.max() == 0.22


async def test_pages_that_never_end_are_left(httpserver: HTTPServer, provider: MassiveProvider) -> None:
    httpserver.expect_request(EVENTS[0]).respond_with_json(ok([], next_url="https://x.example/?cursor=abc"))

    with pytest.raises(Malformed, match="more than 100 pages"):
        await provider.fetch_bars(["KO"], FIRST, LAST)


async def test_session_that_the_vendor_does_not_have_yet_settles_nothing(
    httpserver: HTTPServer, provider: MassiveProvider
) -> None:
    massive_server.serve(httpserver, key=KEY)

    with pytest.raises(OutOfOrder, match="no bars of 2022-12-29 yet"):
        await provider.fetch_bars(["AAPL", "KO"], date(2022, 12, 28), date(2022, 12, 29))


@pytest.mark.parametrize(
    ("answer", "status", "error", "said"),
    [
        ({"status": "ERROR", "error": "Unknown API Key"}, 401, KeyRefused, "Unknown API Key"),
        ({"status": "NOT_AUTHORIZED", "message": "not this timeframe"}, 403, NotEntitled, "not this timeframe"),
        ({"status": "NOT_AUTHORIZED", "message": "not this timeframe"}, 200, NotEntitled, "not this timeframe"),
        ({"status": "ERROR"}, 200, OutOfOrder, "status 'ERROR'"),
        ({"status": "OK", "results": None}, 200, Malformed, "no list of rows but NoneType"),
        ([], 200, Malformed, "no object but list"),
    ],
)
async def test_answer_that_says_nothing_settles_nothing(
    httpserver: HTTPServer, provider: MassiveProvider, answer: Any, status: int, error: type[Exception], said: str
) -> None:
    httpserver.expect_request(f"{WHOLE_MARKET}{FIRST}").respond_with_json(answer, status=status)

    with pytest.raises(error, match=said):
        await provider.fetch_bars(["AAPL"], FIRST, FIRST)


async def test_plan_that_reaches_back_less_far_is_not_asked_for_more(
    httpserver: HTTPServer, make: Callable[..., MassiveProvider]
) -> None:
    massive_server.serve(httpserver, key=KEY)
    provider = make(Plan(history_days=20))

    fetched = await provider.fetch_bars(["AAPL"], FIRST, LAST)
    await provider.close()

    assert fetched.rows.day.min() == np.datetime64(LAST - timedelta(days=20))
