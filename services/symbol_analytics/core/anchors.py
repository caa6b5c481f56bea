"""The dates from which the returns of a session are counted (methodology, 4)."""

import calendar
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

SESSION_HORIZONS: Final[Mapping[str, int]] = {"1d": 1, "5d": 5}

_ONE_DAY: Final = timedelta(days=1)


def months_before(day: date, months: int) -> date:
    """Return the same day of the month so many calendar months earlier, or that month's last day.

    Examples
    --------
    >>> months_before(date(2024, 3, 31), 1)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


# horizon -> the date on or before which its base closed; of a period, the last day of the one before
CALENDAR_HORIZONS: Final[Mapping[str, Callable[[date], date]]] = {
    "1m": lambda as_of: months_before(as_of, 1),
    "3m": lambda as_of: months_before(as_of, 3),
    "6m": lambda as_of: months_before(as_of, 6),
    "1y": lambda as_of: months_before(as_of, 12),
    "mtd": lambda as_of: as_of.replace(day=1) - _ONE_DAY,
    "qtd": lambda as_of: as_of.replace(month=(as_of.month - 1) // 3 * 3 + 1, day=1) - _ONE_DAY,
    "ytd": lambda as_of: as_of.replace(month=1, day=1) - _ONE_DAY,
}

HORIZONS: Final = (*SESSION_HORIZONS, *CALENDAR_HORIZONS)
