"""A number, or the reason why there is none, as the methodology names it."""

from typing import Any

import pandas as pd

Number = float | str

MISSING, SHORT, DEGENERATE = "MISSING_DATA", "INSUFFICIENT_HISTORY", "DEGENERATE_INPUT"
STALE, NOT_APPLICABLE = "STALE_INPUT", "NOT_APPLICABLE"


def cell(table: pd.DataFrame, row: Any, column: str) -> float:
    """One number of a table."""
    found: Any = table.loc[row, column]
    return float(found)
