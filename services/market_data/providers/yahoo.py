"""The `yahoo` provider: histories of bars from the charts of Yahoo's pages, one request a symbol."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.market_data.providers.asking import ask_each
from services.market_data.providers.corporate_events import CorporateEvent, with_events
from services.market_data.providers.currency import HUNDRED, in_hundredths
from services.market_data.providers.http_session import HttpSession
from services.market_data.providers.json_fields import day, number
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.providers.vendor_errors import Malformed, NotFound, OutOfOrder
from services.market_data.providers.vendor_rows import RowReader, absent
from services.market_data.settings import Access

_PRICES: Final = ("close", "open", "high", "low")
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {name: name for name in (*_PRICES, "volume", "adjusted", "split", "dividend")}
)
# Others than browsers are not answered.
HEADERS: Final[Mapping[str, str]] = MappingProxyType({"User-Agent": "Mozilla/5.0"})
# Up to today and beyond: closes are in the shares of today, so that every split up to then counts.
_EVER: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_UNKNOWN: Final = frozenset({"Not Found", "Bad Request"})  # the latter where a symbol was not traded yet

Row = dict[str, Any]


class YahooProvider:
    """Asks Yahoo for one symbol after the other."""

    name: Final = "yahoo"

    def __init__(self, access: Access) -> None:
        self._session = HttpSession(access, HEADERS)
        self._reader = RowReader(self.name, _FIELDS, lambda row: day(row.get("day")))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: the history does not grow backward."""
        return "1"

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the histories as traded, see `BarProvider`."""
        # Of an exchange east of us the day begins before.
        since = int(datetime.combine(first - timedelta(days=1), time(), UTC).timestamp())

        async def ask(symbol: str) -> list[Any]:
            path = f"/v8/finance/chart/{quote(symbol)}"
            span = {"period1": since, "period2": _EVER}
            answer = await self._session.get(path, interval="1d", events="div,splits", **span)
            return _rows(_chart(answer.body))

        said = absent(self.name, first, last)
        asked = await ask_each(symbols, ask, patience_s=self._session.patience_s, absent=said)
        return self._reader.read(asked, first, last)


def _chart(body: Any) -> Mapping[str, Any]:
    # What is not known is a 404, or the same under 200.
    chart = _object(_object(body).get("chart"))
    error = chart.get("error")
    if isinstance(error, Mapping):
        said = f"{error.get('code')}: {error.get('description')}"[:100]
        raise NotFound(said) if str(error.get("code")) in _UNKNOWN else OutOfOrder(said)
    results = chart.get("result")
    if not isinstance(results, list) or len(results) != 1:
        raise Malformed("no chart in the answer")
    return _object(results[0])


def _rows(chart: Mapping[str, Any]) -> list[Row]:
    zone = _zone(_object(chart.get("meta")))
    stamps, indicators = chart.get("timestamp", []), _object(chart.get("indicators"))
    quotes, adjusted = _first(indicators.get("quote")), _first(indicators.get("adjclose", [{}]))
    if not isinstance(stamps, list):
        raise Malformed("no list of times in the chart")
    columns = {name: _column(quotes, name, len(stamps)) for name in (*_PRICES, "volume")}
    columns["adjusted"] = _column(adjusted, "adjclose", len(stamps))
    rows = [
        {"day": _day(stamp, zone), **{name: values[place] for name, values in columns.items()}}
        for place, stamp in enumerate(stamps)
        # A session without a trade is a row of nulls.
        if any(columns[name][place] is not None for name in _PRICES)
    ]
    events = _events(_object(chart.get("events") or {}), zone)
    whole = with_events(rows, events, lambda row: day(row.get("day")))
    return [_as_traded(row, events, _unit(chart)) for row in whole]


def _as_traded(row: Mapping[str, Any], events: Sequence[CorporateEvent], unit: float) -> Row:
    # All of it is in the shares of today, but the adjusted close, which is one series in any.
    on = day(row.get("day"))
    later = math.prod(event.split for event in events if on is not None and event.day > on)
    own = {name: number(row[name]) * later / unit for name in (*_PRICES, "dividend")}
    volume, adjusted = number(row["volume"]) / later, number(row["adjusted"]) / unit
    return {**row, **own, "volume": volume, "adjusted": adjusted}


def _events(told: Mapping[str, Any], zone: ZoneInfo) -> list[CorporateEvent]:
    events = []
    for each in _listed(told.get("splits")):
        old, new = number(each.get("denominator")), number(each.get("numerator"))
        events.append(_event(each, zone, split=new / old if old > 0.0 and 0.0 < new < math.inf else math.nan))
    events += [_event(each, zone, dividend=number(each.get("amount"))) for each in _listed(told.get("dividends"))]
    return sorted(events, key=lambda event: event.day)


def _event(told: Mapping[str, Any], zone: ZoneInfo, *, split: float = 1.0, dividend: float = 0.0) -> CorporateEvent:
    on = day(_day(told.get("date"), zone))
    # Which bars an event belongs to decides what all of them are worth.
    if on is None or not 0.0 < split < math.inf or not 0.0 <= dividend < math.inf:
        raise Malformed(f"an event that cannot be read: {str(told)[:80]}")
    return CorporateEvent("", on, split, dividend)


def _listed(told: Any) -> list[Mapping[str, Any]]:
    return [] if told is None else [_object(each) for each in _object(told).values()]


def _unit(chart: Mapping[str, Any]) -> float:
    return HUNDRED if in_hundredths(str(_object(chart.get("meta")).get("currency"))) else 1.0


def _zone(meta: Mapping[str, Any]) -> ZoneInfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(name if isinstance(name, str) else "")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise Malformed(f"no time zone {str(name)[:40]!r}") from None


def _day(stamp: Any, zone: ZoneInfo) -> str | None:
    try:
        return str(datetime.fromtimestamp(number(stamp), zone).date())
    except (ValueError, OverflowError, OSError):
        return None


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed(f"no object but {type(value).__name__} in the chart")
    return value


def _first(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, list) or not value:
        raise Malformed("no list of columns in the chart")
    return _object(value[0])


def _column(columns: Mapping[str, Any], name: str, length: int) -> list[Any]:
    values = columns.get(name)
    if values is None:
        return [None] * length
    if not isinstance(values, list) or len(values) != length:
        raise Malformed(f"the column {name} of the chart is not as long as its times")
    return values
