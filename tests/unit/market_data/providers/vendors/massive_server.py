"""A server that speaks Massive's shapes, of invented companies."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors import invented
from tests.unit.market_data.providers.vendors.answers import as_json
from tests.unit.market_data.providers.vendors.invented import Bar

PAID_AFTER = timedelta(days=21)
CONTRACT = "O:KO220617C00090000"
COMPANIES = ("AAPL", "BRK.B", "KO", "KO1", "KO2", "KO3", "KO8", "KO9")
# KO8 became KO9.
RENAMED_ON, SHARE = date(2022, 3, 22), "BBG0"
_ZONE = ZoneInfo("America/New_York")


def history(symbol: str) -> list[Bar]:
    """Return what was traded under a name."""
    if symbol == CONTRACT:
        return [replace(bar, split=1.0, dividend=0.0) for bar in invented.history("AAPL")]
    days = {"KO8": (date.min, RENAMED_ON - timedelta(days=1)), "KO9": (RENAMED_ON, date.max)}
    first, last = days.get(symbol, (date.min, date.max))
    return [bar for bar in invented.history(symbol) if first <= bar.day <= last]


def ticker_events() -> dict[str, Any]:
    changes = {"KO9": RENAMED_ON, "KO8": date(2012, 5, 18)}
    told = [
        {"type": "ticker_change", "date": str(on), "ticker_change": {"ticker": name}} for name, on in changes.items()
    ]
    return {"name": "Fizz Eight Co.", "events": told}


def row(bar: Bar, *, closes_at: bool = False) -> dict[str, Any]:
    """Return a bar; one of the whole market is stamped with the close of its session, one of a symbol with its day."""
    stamp = datetime.combine(bar.day, time(16) if closes_at else time(0), _ZONE)
    names = {"c": bar.close, "h": bar.high, "l": bar.low, "o": bar.open, "v": bar.volume}
    return {**names, "t": int(stamp.timestamp()) * 1000, "n": 9, "vw": bar.close}


def rows(symbol: str, first: date, last: date) -> list[dict[str, Any]]:
    return [row(bar) for bar in history(symbol) if first <= bar.day <= last]


def open_interest(names: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return the contracts that were open: some more each day of the month."""
    return [
        {"ticker": name, "date": str(bar.day), "open_interest": 1_000 + bar.day.day}
        for name in names.split(",")
        for bar in history(name)
        if name == CONTRACT and first <= bar.day <= last
    ]


def splits() -> list[dict[str, Any]]:
    return [
        {"ticker": symbol, "execution_date": str(bar.day), "split_from": 1, "split_to": bar.split, "id": "E1"}
        for symbol in COMPANIES
        for bar in history(symbol)
        if bar.split != 1.0
    ]


def dividends() -> list[dict[str, Any]]:
    """Return the dividends, each twice under two ids, as it has happened."""
    return [
        {
            "ticker": symbol,
            "ex_dividend_date": str(bar.day),
            "cash_amount": bar.dividend,
            "currency": "USD",
            "pay_date": str(bar.day + PAID_AFTER),
            "distribution_type": "recurring",
            "id": number,
        }
        for symbol in COMPANIES
        for bar in history(symbol)
        if bar.dividend != 0.0
        for number in ("E1", "E2")
    ]


def ok(results: list[Any], **more: Any) -> dict[str, Any]:
    return {"status": "OK", "request_id": "0", "results": results, **more}


def serve(server: HTTPServer, *, key: str) -> None:
    """Answer as the vendor does for a key."""

    def checked(request: Request, answer: dict[str, Any]) -> Response:
        if request.headers.get("Authorization") != f"Bearer {key}":
            return as_json({"status": "ERROR", "request_id": "0", "error": "Unknown API Key"}, status=401)
        if request.path.startswith("/v2") and request.args.get("adjusted") != "false":
            raise AssertionError("split-adjusted closes were asked for")
        return as_json(answer)

    def market(request: Request) -> Response:
        day = date.fromisoformat(request.path.rsplit("/", 1)[1])
        found = [
            {"T": symbol, **row(bar, closes_at=True)}
            for symbol in COMPANIES
            for bar in history(symbol)
            if bar.day == day
        ]
        return checked(request, ok(found, adjusted=False) if found else {"status": "OK", "resultsCount": 0})

    def one(request: Request) -> Response:
        symbol, first, last = re.fullmatch(r".*/ticker/([^/]+)/range/1/day/([^/]+)/([^/]+)", request.path).groups()  # type: ignore[union-attr]
        found = rows(symbol, date.fromisoformat(first), date.fromisoformat(last))
        # Of what it does not know the vendor has no results, not even none.
        return checked(request, ok(found, ticker=symbol) if found else {"status": "OK", "resultsCount": 0})

    def told(events: list[dict[str, Any]], by: str) -> Any:
        def answer(request: Request) -> Response:
            names = request.args.get("ticker.any_of")
            first, last = request.args[f"{by}.gte"], request.args[f"{by}.lte"]
            wanted = [
                event
                for event in events
                if first <= event[by] <= last and (names is None or event["ticker"] in names.split(","))
            ]
            return checked(request, ok(wanted))

        return answer

    server.expect_request(re.compile("/v2/aggs/grouped/locale/us/market/stocks/.*")).respond_with_handler(market)
    server.expect_request(re.compile("/v2/aggs/ticker/.*")).respond_with_handler(one)
    server.expect_request("/stocks/v1/splits").respond_with_handler(told(splits(), "execution_date"))
    server.expect_request("/stocks/v1/dividends").respond_with_handler(told(dividends(), "ex_dividend_date"))
    _serve_names(server, checked)
    _serve_interest(server, checked)


def _serve_names(server: HTTPServer, checked: Callable[[Request, dict[str, Any]], Response]) -> None:
    def details(request: Request) -> Response:
        symbol, on = request.path.rsplit("/", 1)[1], date.fromisoformat(request.args["date"])
        if symbol not in COMPANIES or not any(bar.day == on for bar in history(symbol)):
            return as_json({"status": "NOT_FOUND", "request_id": "0", "message": "Ticker not found."}, status=404)
        return checked(request, {**ok([]), "results": {"ticker": symbol, "composite_figi": f"{SHARE}{symbol}"}})

    def events_of(request: Request) -> Response:
        share = request.path.split("/")[-2]
        if share not in {f"{SHARE}KO8", f"{SHARE}KO9"}:
            return as_json({"status": "NOT_FOUND", "request_id": "0", "message": "no events"}, status=404)
        return checked(request, {**ok([]), "results": ticker_events()})

    server.expect_request(re.compile("/v3/reference/tickers/[^/]+")).respond_with_handler(details)
    server.expect_request(re.compile("/vX/reference/tickers/[^/]+/events")).respond_with_handler(events_of)


def _serve_interest(server: HTTPServer, checked: Callable[[Request, dict[str, Any]], Response]) -> None:
    def interest(request: Request) -> Response:
        first, last = (date.fromisoformat(request.args[f"date.{end}"]) for end in ("gte", "lte"))
        return checked(request, ok(open_interest(request.args["ticker.any_of"], first, last)))

    server.expect_request("/options/v1/open-interest").respond_with_handler(interest)
