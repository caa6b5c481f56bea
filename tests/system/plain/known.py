"""A number, or the reason why there is none, as the methodology names it."""

from typing import Any

import pandas as pd

Number = float | str

MISSING, SHORT, DEGENERATE = "MISSING_DATA", "INSUFFICIENT_HISTORY", "DEGENERATE_INPUT"
STALE, NOT_APPLICABLE = "STALE_INPUT", "NOT_APPLICABLE"
LOW_COVERAGE = "LOW_COVERAGE"
FLOOR = 0.8  # of gross exposure


def cell(table: pd.DataFrame, row: Any, column: str) -> float:
    """One number of a table."""
    found: Any = table.loc[row, column]
    return float(found)


def withheld(value: Number, coverage: Number) -> tuple[Number, float | None]:
    """A number of a book as it is told, and what is told of the covered part where that is too small."""
    if isinstance(value, float) and isinstance(coverage, float) and coverage < FLOOR:
        return LOW_COVERAGE, value
    return value, None
