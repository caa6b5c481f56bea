"""The `sample` provider: real prices that ship with the `skfolio` package, for a machine without any other source.

Twenty stocks (1990 to 2022), the S&P 500 index as SPX and five style ETFs (2014 to 2022), total-return adjusted closes
only: the close is the adjusted close. The package is read, never imported.
"""

import asyncio
import threading
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import csv

from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.providers.price_table import PriceTable, UnreadRows, canonical
from services.market_data.providers.provider import (
    FetchedBars,
    FetchedProfiles,
    FetchedStatements,
    Kind,
    SampleNotInstalled,
    UnreadableFile,
)
from services.market_data.providers.sample_profiles import SAMPLE_PROFILES
from shared.arrays import DateArray, FloatArray
from shared.unavailable import Reason, Unavailable

PACKAGE: Final = "skfolio"
DATA_FILES: Final = ("sp500_dataset.csv.gz", "sp500_index.csv.gz", "factors_dataset.csv.gz")
# Column of the data -> symbol, where they differ.
SYMBOL_OF_COLUMN: Final = {"SP500": "SPX"}


class SampleProvider:
    """Reads the three data files of the package once."""

    name: Final = "sample"
    facts: Final = frozenset({"name", "sector", "country", "exchange", "currency", "is_etf"})

    def __init__(self, package: str = PACKAGE) -> None:
        self._package = package
        self._table: PriceTable | None = None
        self._parsing = threading.Lock()

    async def edition(self, kind: Kind) -> str:
        """Return the version of the package."""
        return "none" if kind is Kind.STATEMENTS else _distribution(self._package).version

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return rows of the data files, see `BarProvider`."""
        table = await asyncio.to_thread(self._load)
        return table.fetch(self.name, symbols, first=first, last=last)

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Return public facts about the companies and funds, see `ProfileProvider`."""
        found = {s: SAMPLE_PROFILES[canonical(s)] for s in symbols if canonical(s) in SAMPLE_PROFILES}
        unknown = Unavailable(Reason.MISSING_DATA, "not in the sample")
        return FetchedProfiles(self.name, found, {s: unknown for s in symbols if s not in found})

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Return nothing: the sample has no statements."""
        nothing = Unavailable(Reason.MISSING_DATA, "no statements in the sample")
        return FetchedStatements(self.name, {}, dict.fromkeys(symbols, nothing))

    def _load(self) -> PriceTable:
        with self._parsing:
            if self._table is None:
                self._table = _read(self._package)
            return self._table


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise SampleNotInstalled(package) from error


def _read(package: str) -> PriceTable:
    distribution = _distribution(package)
    paths = {file.name: Path(str(file.locate())) for file in distribution.files or () if file.name in DATA_FILES}
    if len(paths) != len(DATA_FILES):
        raise SampleNotInstalled(package)
    series: dict[str, tuple[DateArray, FloatArray]] = {}
    for name in DATA_FILES:
        try:
            table = csv.read_csv(paths[name])
        except (OSError, pa.ArrowException) as error:
            raise UnreadableFile(paths[name], str(error)) from error
        days = table["Date"].to_numpy().astype("datetime64[D]")
        for column in table.column_names[1:]:
            series[SYMBOL_OF_COLUMN.get(column, column)] = (days, table[column].to_numpy().astype(np.float64))
    symbols = sorted(series)
    counts = [len(series[symbol][0]) for symbol in symbols]
    prices = np.concatenate([series[symbol][1] for symbol in symbols])
    return PriceTable(
        file="the sample",
        position={symbol: place for place, symbol in enumerate(symbols)},
        bounds=np.cumsum([0, *counts]),
        day=np.concatenate([series[symbol][0] for symbol in symbols]),
        columns={"close": prices, "adjusted": prices},
        line=np.zeros(len(prices), dtype=np.int32),
        unread=UnreadRows(),
    )
