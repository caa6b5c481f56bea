"""What can go wrong between us and a vendor, each with its type, and what is asked again."""

import threading
from collections.abc import AsyncIterator, Callable

import pytest
from aiolimiter import AsyncLimiter
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.market_data.core.plans import Plan, Spent, Window
from services.market_data.providers import http_session
from services.market_data.providers.http_session import ATTEMPTS, HttpSession, pace_of, retry_after
from services.market_data.providers.vendor_errors import (
    Blocked,
    KeyRefused,
    Malformed,
    NotEntitled,
    NotFound,
    OutOfOrder,
    RateLimited,
    Redirected,
    Unreachable,
)
from services.market_data.settings import Access

KEY = "canary-5f1d"
CAPTCHA = "<!doctype html><title>Are you a robot?</title>"


@pytest.fixture
async def session(httpserver: HTTPServer) -> AsyncIterator[HttpSession]:
    session = HttpSession(Access(httpserver.url_for(""), SecretStr(KEY)), {"Authorization": f"Token {KEY}"})
    yield session
    await session.close()


def _answer(body: str, status: int = 200, **headers: str) -> Callable[[Request], Response]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    # In parts, so that a length that is not the body's is sent as it is.
    return lambda _: Response(iter([body]), status=status, headers=named)


@pytest.mark.parametrize(
    ("answer", "error", "said", "asked"),
    [
        (_answer('{"detail": "Invalid token."}', 401), KeyRefused, "401: Invalid token.", 1),
        (_answer("Restricted Endpoint: not under your plan", 402), NotEntitled, "402: Restricted Endpoint", 1),
        (_answer('{"status": "NOT_AUTHORIZED", "message": "not entitled"}', 403), NotEntitled, "not entitled", 1),
        (_answer('{"detail": "Not found."}', 404), NotFound, "Not found.", 1),
        (_answer("Edge: Too Many Requests", 429), RateLimited, "rate limited: Edge: Too Many Requests", 1),
        (_answer("", 429), RateLimited, "rate limited", 1),
        (_answer("later", 429, Retry_After="3600"), RateLimited, "after 3600 s", 1),
        (_answer("later", 429, Retry_After="20"), RateLimited, "after 20 s", ATTEMPTS),
        (_answer("<html>bad gateway", 502), OutOfOrder, "502", ATTEMPTS),
        (_answer(CAPTCHA), Blocked, "Are you a robot?", 1),
        (_answer(CAPTCHA, 403), Blocked, "403 with a page", 1),
        (_answer('[{"close": 1.0}, {"clo'), Malformed, "no JSON but", ATTEMPTS),
        (_answer(""), Malformed, "no JSON", ATTEMPTS),
        (_answer("[" * 100_000), Malformed, "no JSON", ATTEMPTS),
        (_answer("[1]", Content_Length="1000"), Unreachable, "RemoteProtocolError", ATTEMPTS),
        (_answer("[1]", Content_Encoding="gzip"), Malformed, "cannot be unpacked", ATTEMPTS),
        (_answer("[" + "1," * 1_000 + "1]"), Malformed, "more than 1,000 bytes", ATTEMPTS),
        (_answer("", 302, Location="https://elsewhere.example/?k=1"), Redirected, "led to elsewhere.example", 1),
        (_answer("short and stout", 418), Malformed, "418: short and stout", ATTEMPTS),
    ],
)
async def test_answer_that_says_nothing_has_its_type_and_is_asked_again_where_that_may_help(
    httpserver: HTTPServer,
    session: HttpSession,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Request], Response],
    error: type[Exception],
    said: str,
    asked: int,
) -> None:
    monkeypatch.setattr(http_session, "MAX_BODY_BYTES", 1_000 if "bytes" in said else 1 << 25)
    httpserver.expect_request("/x").respond_with_handler(answer)

    with pytest.raises(error, match=said):
        await session.get("/x")

    assert len(httpserver.log) == asked


async def test_answer_of_the_second_attempt_counts(httpserver: HTTPServer, session: HttpSession) -> None:
    httpserver.expect_ordered_request("/x").respond_with_data("busy", status=503)
    httpserver.expect_ordered_request("/x").respond_with_data("later", status=429, headers={"Retry-After": "1"})
    httpserver.expect_ordered_request("/x").respond_with_data('{"value": NaN}')

    assert str((await session.get("/x")).body) == "{'value': nan}"


async def test_answer_that_does_not_come_is_not_waited_for(
    httpserver: HTTPServer, session: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(http_session, "WHOLE_S", 0.01)

    def answer(_: Request) -> Response:
        ended.wait()
        return Response("[]")

    httpserver.expect_request("/x").respond_with_handler(answer)

    with pytest.raises(Unreachable, match="no answer in time"):
        await session.get("/x")
    ended.set()


async def test_nobody_listening_is_unreachable(session: HttpSession, httpserver: HTTPServer) -> None:
    nobody = HttpSession(Access("http://127.0.0.1:1", SecretStr(KEY)), {})
    with pytest.raises(Unreachable, match="ConnectError"):
        await nobody.get("/x")
    await nobody.close()


async def test_certificate_that_is_none_is_unreachable_and_named(httpserver: HTTPServer) -> None:
    session = HttpSession(Access(httpserver.url_for("").replace("http:", "https:"), SecretStr(KEY)), {})
    with pytest.raises(Unreachable, match="SSL"):
        await session.get("/x")
    await session.close()


@pytest.mark.parametrize(("window", "apart"), [(Window(5, 60.0), 12.0), (Window(300, 60.0), 0.2)])
async def test_requests_of_a_minute_are_spread_over_it(window: Window, apart: float) -> None:
    pace = pace_of(window)

    async with pace:
        assert not pace.has_capacity()
    assert pace.time_period == pytest.approx(apart)


async def test_every_request_waits_for_its_turn_within_a_minute_and_not_for_longer_windows(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []

    class Turns(AsyncLimiter):
        async def acquire(self, amount: float = 1) -> None:
            turns.append(f"{self.max_rate:g} in {self.time_period:g} s, asked {len(httpserver.log)}")

    monkeypatch.setattr(http_session, "pace_of", lambda window: Turns(window.requests, window.seconds))
    httpserver.expect_request("/x").respond_with_json([])
    plan = Plan((Window(7, 60.0), Window(50, 3_600.0)))
    session = HttpSession(Access(httpserver.url_for(""), SecretStr(KEY), plan=plan), {})
    for _ in range(2):
        await session.get("/x")
    await session.close()

    assert turns == ["7 in 60 s, asked 0", "7 in 60 s, asked 1"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "-7"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Fri, 01 Mar 2024 10:00:30 GMT", "date": "Fri, 01 Mar 2024 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 01 Mar 2024 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_time_to_ask_again_is_in_seconds_or_by_the_clock_of_the_answer(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


async def test_request_beyond_what_the_plan_allows_is_not_made_and_one_of_this_minute_waits(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/x").respond_with_json([])
    slept: list[float] = []
    told = iter([Spent(3_600.0), Spent(20.0), Spent(5.0), None])

    async def take() -> Spent | None:
        return next(told)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    session = HttpSession(Access(httpserver.url_for(""), SecretStr(KEY), take=take), {})
    with pytest.raises(RateLimited, match="after 3600 s: what the plan allows is spent"):
        await session.get("/x")
    asked_in_vain = len(httpserver.log)

    assert (await session.get("/x")).body == []
    await session.close()
    assert (asked_in_vain, len(httpserver.log), slept) == (0, 1, [20.0, 5.0])
