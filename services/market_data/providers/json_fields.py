"""Fields of vendors' answers, read whatever stands there: a number that is none is NaN, another field None."""

import math
from datetime import date
from typing import Any


def number(value: Any) -> float:
    """Return a number, also one in quotes; NaN where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def day(value: Any) -> date | None:
    """Return the day of a date or a time in ISO 8601."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
