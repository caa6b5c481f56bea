"""What the facts of a profile can be: a number outside of that is not what its name says, or could not be stored."""

import math
import re
from collections.abc import Mapping
from typing import Final

_BILLION: Final = 1_000_000_000.0
_POSITIVE: Final = (math.ulp(0.0), math.inf)
PRICES: Final = ("week_52_high", "week_52_low", "target_mean_price", "target_high_price", "target_low_price")
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    **dict.fromkeys(("market_cap", "shares_outstanding", *PRICES), _POSITIVE),
    "dividend_yield": (0.0, math.inf),
    **dict.fromkeys(("employees", "number_of_analyst_opinions"), (0.0, _BILLION)),
    **dict.fromkeys(("current_quarter_analyst_count", "next_quarter_analyst_count"), (0.0, _BILLION)),
    "fiscal_quarter_offset": (-12.0, 12.0),
    "recommendation_mean": (1.0, 5.0),
}
_MONTH_AND_DAY: Final = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def possible_number(name: str, value: float) -> bool:
    """Tell whether a fact can be this number."""
    low, high = _BOUNDS.get(name, (-math.inf, math.inf))
    return low <= value <= high


def possible_text(name: str, text: str) -> bool:
    """Tell whether a fact can be this text."""
    return "\x00" not in text and (name != "fiscal_year_end" or _MONTH_AND_DAY.fullmatch(text) is not None)
