"""A server that speaks the shape of FRED's observations, of invented rates."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors.answers import as_json

BAD_KEY = "Bad Request.  The value for variable api_key is not registered."
NO_SERIES = "Bad Request.  The series does not exist."
_BEGAN_AT = {"DGS3MO": 0.51, "DGS10": 1.93}
_FIRST, _LAST = date(2022, 1, 3), date(2022, 12, 28)
HOLIDAY = date(2022, 3, 17)  # on which nothing is quoted


def observations(series: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return a row of each weekday that is a hundredth of a point above the one before."""
    return [
        {
            "realtime_start": "2023-01-02",
            "realtime_end": "2023-01-02",
            "date": str(day),
            "value": "." if day == HOLIDAY else f"{_BEGAN_AT[series] + number / 100:.2f}",
        }
        for number, day in enumerate(_weekdays())
        if first <= day <= last
    ]


def _weekdays() -> Iterator[date]:
    for number in range((_LAST - _FIRST).days + 1):
        day = _FIRST + timedelta(days=number)
        if day.weekday() < 5:
            yield day


def error(said: str, status: int = 400) -> Response:
    """Return JSON that is called XML."""
    answer = as_json({"error_code": status, "error_message": said}, status=status)
    answer.content_type = "text/xml; charset=UTF-8"
    return answer


def serve(server: HTTPServer, *, key: str) -> None:
    """Answer as the vendor does for a key."""

    def answer(request: Request) -> Response:
        if request.args.get("api_key") != key or request.args.get("file_type") != "json":
            return error(BAD_KEY)
        if request.args["series_id"] not in _BEGAN_AT:
            return error(NO_SERIES)
        span = (date.fromisoformat(request.args[f"observation_{edge}"]) for edge in ("start", "end"))
        return as_json({"units": "lin", "observations": observations(request.args["series_id"], *span)})

    server.expect_request("/fred/series/observations").respond_with_handler(answer)
