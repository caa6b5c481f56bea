"""Splits and dividends that a vendor tells apart from its bars, laid on the bars of their sessions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.market_data.providers.vendor_rows import DayOf, Row


@dataclass(frozen=True, slots=True, order=True)
class CorporateEvent:
    """A split, or a dividend per share as of its day."""

    symbol: str
    day: date
    split: float = 1.0
    dividend: float = 0.0


def with_events(rows: Sequence[Row], events: Iterable[CorporateEvent], day_of: DayOf) -> list[Row]:
    """Return the rows of a symbol with `split` and `dividend`.

    An event of a day without a row belongs to the next one: its dividend is then per share after the splits that came
    between. One after the last row is left for the rows that are to come.
    """
    days = sorted({day for row in rows if (day := day_of(row)) is not None})
    on: dict[date, list[CorporateEvent]] = defaultdict(list)
    for event in sorted(events, key=lambda each: each.day):
        target = next((day for day in days if day >= event.day), None)
        if target is not None:
            on[target].append(event)
    return [row if (day := day_of(row)) is None else {**row, **_merged(on[day])} for row in rows]


def _merged(events: Sequence[CorporateEvent]) -> dict[str, float]:
    # Newest first: a day's split is before its dividend, which is per share after it.
    split, dividend = 1.0, 0.0
    for day in sorted({event.day for event in events}, reverse=True):
        dividend += sum(event.dividend for event in events if event.day == day) / split
        for event in events:
            if event.day == day:
                split *= event.split
    return {"split": split, "dividend": dividend}
