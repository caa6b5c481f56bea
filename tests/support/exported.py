"""Reading what `export` has written."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

Reader = Callable[[Path], pd.DataFrame]
READERS: dict[str, Reader] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".xlsx": lambda path: pd.read_excel(path, engine="calamine"),
}
