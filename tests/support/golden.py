"""The synthetic world that the predecessor computed: its prices, and what came out (tests/golden/synthetic)."""

from functools import cache
from pathlib import Path
from typing import Final

import pandas as pd

WORLD: Final = Path(__file__).parents[1] / "golden" / "synthetic"


@cache
def closes() -> pd.DataFrame:
    """Return the closes, one row a session and one column a symbol."""
    prices = pd.read_parquet(WORLD / "inputs" / "prices.parquet")
    panel = prices.pivot_table(index="date", columns="symbol", values="close")
    panel.index = pd.to_datetime(panel.index)
    return panel


@cache
def output(table: str) -> pd.DataFrame:
    """Return a table of the predecessor's."""
    return pd.read_csv(WORLD / "outputs" / f"{table}.csv.gz")
