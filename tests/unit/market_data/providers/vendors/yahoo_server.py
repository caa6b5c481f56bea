"""A server that speaks the shape of Yahoo's charts, of invented companies."""

import math
import re
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors.answers import as_json
from tests.unit.market_data.providers.vendors.invented import Bar, adjusted, history

_ZONE = ZoneInfo("America/New_York")
NOT_FOUND = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be"}}}


def stamp(day: date) -> int:
    """Return the opening of a session."""
    return int(datetime.combine(day, time(9, 30), _ZONE).timestamp())


def chart(symbol: str, since: int) -> dict[str, Any]:
    """Return a chart in the shares of the last day, events included."""
    everything = history(symbol)
    bars = [
        (bar, close) for bar, close in zip(everything, adjusted(everything), strict=True) if stamp(bar.day) >= since
    ]

    def later(bar: Bar) -> float:
        return math.prod(each.split for each, _ in bars if each.day > bar.day)

    quote = {
        name: [getattr(bar, name) / later(bar) for bar, _ in bars] for name in ("close", "open", "high", "low")
    } | {"volume": [bar.volume * later(bar) for bar, _ in bars]}
    dividends = {
        str(stamp(bar.day)): {"amount": bar.dividend / later(bar), "date": stamp(bar.day)}
        for bar, _ in bars
        if bar.dividend
    }
    splits = {
        str(stamp(bar.day)): {"date": stamp(bar.day), "numerator": bar.split, "denominator": 1, "splitRatio": "2:1"}
        for bar, _ in bars
        if bar.split != 1.0
    }
    events = {name: told for name, told in (("dividends", dividends), ("splits", splits)) if told}
    return {
        "meta": {"currency": "USD", "symbol": symbol, "exchangeTimezoneName": "America/New_York", "gmtoffset": -18000},
        "timestamp": [stamp(bar.day) for bar, _ in bars],
        **({"events": events} if events else {}),
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [close for _, close in bars]}]},
    }


def ok(chart: Any) -> dict[str, Any]:
    return {"chart": {"result": [chart], "error": None}}


def serve(server: HTTPServer) -> None:
    """Answer as the pages' own scripts are answered."""

    def prices(request: Request) -> Response:
        if "Mozilla" not in request.headers.get("User-Agent", ""):
            return Response("Edge: Too Many Requests", status=429)
        symbol = request.path.rsplit("/", 1)[1].replace("-", ".")
        if not history(symbol):
            return as_json(NOT_FOUND, status=404)
        return as_json(ok(chart(symbol, int(request.args["period1"]))))

    server.expect_request(re.compile("/v8/finance/chart/.*")).respond_with_handler(prices)
