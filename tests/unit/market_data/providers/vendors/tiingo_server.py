"""A server that speaks Tiingo's shapes, of invented companies."""

import re
from datetime import date
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors.answers import as_json
from tests.unit.market_data.providers.vendors.invented import adjusted, history


def rows(symbol: str, first: date, last: date) -> list[dict[str, Any]]:
    bars = history(symbol)
    return [
        {
            "date": f"{bar.day}T00:00:00.000Z",
            **dict.fromkeys(("adjClose", "adjHigh", "adjLow", "adjOpen"), close),
            **{name: getattr(bar, name) for name in ("close", "high", "low", "open", "volume")},
            "adjVolume": bar.volume,
            "divCash": bar.dividend,
            "splitFactor": bar.split,
        }
        for bar, close in zip(bars, adjusted(bars) if bars else (), strict=True)
        if first <= bar.day <= last
    ]


def serve(server: HTTPServer, *, key: str) -> None:
    """Answer as the vendor does for a key."""

    def prices(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Token {key}":
            return as_json({"detail": "Invalid token."}, status=401)
        ticker = request.path.split("/")[3]
        if not history(ticker.replace("-", ".")):
            return as_json({"detail": f"Error: Ticker '{ticker}' not found"}, status=404)
        first, last = (date.fromisoformat(request.args[name]) for name in ("startDate", "endDate"))
        return as_json(rows(ticker.replace("-", "."), first, last))

    server.expect_request(re.compile("/tiingo/daily/[^/]+/prices")).respond_with_handler(prices)
