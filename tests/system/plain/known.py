"""A number, or the reason why there is none, as the methodology names it."""

import math
from collections.abc import Callable

Number = float | str

MISSING, SHORT, DEGENERATE = "MISSING_DATA", "INSUFFICIENT_HISTORY", "DEGENERATE_INPUT"
STALE, NOT_APPLICABLE = "STALE_INPUT", "NOT_APPLICABLE"


def number_or(value: float, reason: str) -> Number:
    """The number if it is one."""
    return value if math.isfinite(value) else reason


def both(first: Number, second: Number, combine: Callable[[float, float], float]) -> Number:
    """What two numbers make, or the reason of the first that is missing."""
    if isinstance(first, str):
        return first
    return second if isinstance(second, str) else combine(first, second)
