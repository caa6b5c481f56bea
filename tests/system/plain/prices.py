"""Prices as tables of sessions by symbols: the sample's CSV files, and series with holes, splits and dividends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import metadata

import numpy as np
import pandas as pd

from tests.system.plain.known import cell

SAMPLE = ("sp500_dataset.csv.gz", "sp500_index.csv.gz", "factors_dataset.csv.gz")

Closes = Mapping[str, Mapping[date, float]]
Events = Mapping[tuple[str, date], float]


@cache
def sample() -> pd.DataFrame:
    """The later years of the sample, a column a symbol; closes and adjusted closes are the same."""
    files = [file for file in metadata.distribution("skfolio").files or () if file.name in SAMPLE]
    frames = [pd.read_csv(str(file.locate()), index_col=0, parse_dates=True) for file in files]
    return pd.concat(frames, axis=1, sort=True).rename(columns={"SP500": "SPX"}).loc["2020":]


@dataclass(frozen=True)
class Prices:
    """Tables of sessions by symbols: NaN where there is no close; no split is 1, no dividend 0."""

    close: pd.DataFrame
    adjusted: pd.DataFrame
    split: pd.DataFrame
    dividend: pd.DataFrame
    _decimals: dict[tuple[str, date], Decimal | None] = field(default_factory=dict)
    _returns: dict[tuple[str, date, int], pd.Series] = field(default_factory=dict)

    def sessions(self, first: date, last: date) -> list[date]:
        """The sessions of a stretch of time: the days in the sample's files."""
        return [day.date() for day in self.close.loc[pd.Timestamp(first) : pd.Timestamp(last)].index]

    def session_before(self, day: date) -> date:
        return self.sessions(date(2000, 1, 1), day)[-2]

    def printed_close(self, symbol: str, session: date) -> Decimal | None:
        """The close as it is printed in its file, None where there is none."""
        key = symbol, session
        if key not in self._decimals:
            close = cell(self.close, pd.Timestamp(session), symbol) if symbol in self.close else np.nan
            self._decimals[key] = Decimal(str(close)) if np.isfinite(close) else None
        return self._decimals[key]

    def first_close(self, symbol: str) -> date | None:
        """The session from which on a symbol has prices."""
        first = self.close[symbol].first_valid_index() if symbol in self.close else None
        return None if first is None else pd.Timestamp(str(first)).date()

    def split_on(self, session: date, symbol: str) -> Decimal:
        """The new shares for an old one."""
        return Decimal(str(cell(self.split, pd.Timestamp(session), symbol))) if symbol in self.split else Decimal(1)

    def dividend_on(self, session: date, symbol: str) -> Decimal:
        known = symbol in self.dividend
        return Decimal(str(cell(self.dividend, pd.Timestamp(session), symbol))) if known else Decimal(0)

    def series(self, symbol: str, as_of: date, sessions: int) -> pd.Series:
        """The last adjusted closes up to a session, NaN for a symbol that nobody knows."""
        until = self.adjusted.loc[: pd.Timestamp(as_of)].iloc[-sessions:]
        return until[symbol] if symbol in until else pd.Series(np.nan, index=until.index)

    def returns(self, symbol: str, as_of: date, sessions: int) -> pd.Series:
        """The last simple total returns; one needs the closes of two consecutive sessions."""
        key = symbol, as_of, sessions
        if key not in self._returns:
            closes = self.series(symbol, as_of, sessions + 1)
            self._returns[key] = (closes / closes.shift(1) - 1.0).iloc[1:]
        return self._returns[key]


def prices_with(closes: Closes, splits: Events, dividends: Events) -> Prices:
    """The sample and further series beside it."""
    known = sample()
    added = {symbol: _column(series, known.index, np.nan) for symbol, series in closes.items()}
    split = {symbol: _column(_of(symbol, splits), known.index, 1.0) for symbol in closes}
    dividend = {symbol: _column(_of(symbol, dividends), known.index, 0.0) for symbol in closes}
    adjusted = {symbol: _adjusted(added[symbol], split[symbol], dividend[symbol]) for symbol in closes}
    return Prices(
        close=known.assign(**added),
        adjusted=known.assign(**adjusted),
        split=pd.DataFrame(1.0, index=known.index, columns=known.columns).assign(**split),
        dividend=pd.DataFrame(0.0, index=known.index, columns=known.columns).assign(**dividend),
    )


def _of(symbol: str, events: Events) -> dict[date, float]:
    return {day: size for (name, day), size in events.items() if name == symbol}


def _column(series: Mapping[date, float], index: pd.Index, otherwise: float) -> pd.Series:
    dated = pd.Series({pd.Timestamp(day): value for day, value in series.items()}, dtype=float)
    return dated.reindex(index, fill_value=otherwise)


def _adjusted(close: pd.Series, split: pd.Series, dividend: pd.Series) -> pd.Series:
    """Walk back from the last bar; a split or a dividend scales every close before its session."""
    adjusted, factor = close.copy(), 1.0
    known = list(close.dropna().index)
    for session, before in zip(known[::-1], [*known[-2::-1], None], strict=True):
        adjusted[session] = close[session] * factor
        if before is not None:
            factor *= (1.0 - dividend[session] * split[session] / close[before]) / split[session]
    return adjusted
