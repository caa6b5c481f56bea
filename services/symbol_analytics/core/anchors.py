"""The dates from which the returns of a session are counted (methodology, 4)."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from shared.calendar import months_before

SESSION_HORIZONS: Final[Mapping[str, int]] = {"1d": 1, "5d": 5}

_ONE_DAY: Final = timedelta(days=1)

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
