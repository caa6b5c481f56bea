"""Directories for the files provider, and the checks of what is read from them."""

from datetime import date
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.window import sessions_array
from services.market_data.providers.chain import Checked
from services.market_data.providers.provider import FetchedBars

FIRST, LAST = date(2022, 3, 1), date(2022, 3, 31)

GOOD = """symbol,date,close,adj_close
AAPL,2022-03-01,163.20,161.5
AAPL,2022-03-02,166.56,164.8
KO,2022-03-01,62.5,60.1
KO,2022-03-02,62.9,60.5
"""


def write(directory: Path, text: str | bytes, name: str = "prices.csv") -> Path:
    path = directory / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def as_parquet(directory: Path, text: str) -> Path:
    path = directory / "prices.parquet"
    parquet.write_table(csv.read_csv(pa.BufferReader(text.encode())), path)
    return path


def check(fetched: FetchedBars) -> Checked:
    """Check the rows as a run over the whole span does."""
    sessions = sessions_array(FIRST, LAST)
    found = check_rows(fetched.rows, Request(fetched.provider, sessions, LAST))
    return Checked(found.bars, found.findings, found.refused(sessions))
