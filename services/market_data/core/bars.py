"""Bars as matrices: sessions down axis 0, oldest first, symbols across axis 1."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Final, Self

import numpy as np

from shared.arrays import BoolArray, DateArray, FloatArray, IntArray

# What a field holds where nothing was said about it.
BLANKS: Final = {
    "close": np.nan,
    "adjusted": np.nan,
    "open": np.nan,
    "high": np.nan,
    "low": np.nan,
    "volume": np.nan,
    "split": 1.0,
    "dividend": 0.0,
}
BAR_FIELDS: Final = tuple(BLANKS)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Accepted daily bars.

    Parameters
    ----------
    sessions : ndarray of datetime64[D], shape (n_sessions,)
        Strictly ascending.
    symbols : tuple of str
        Distinct.
    close : ndarray of shape (n_sessions, n_symbols)
        As-traded close; NaN = no bar.
    adjusted : ndarray, same shape
        Total-return adjusted close; NaN = no bar, or none that can be trusted.
    open, high, low, volume : ndarray, same shape
        NaN where the source has none.
    split : ndarray, same shape
        Factor effective that session, 1.0 = none.
    dividend : ndarray, same shape
        Cash per share, ex that session, 0.0 = none.
    """

    sessions: DateArray
    symbols: tuple[str, ...]
    close: FloatArray
    adjusted: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    split: FloatArray
    dividend: FloatArray

    def __post_init__(self) -> None:
        """Check shapes and order once, at the entrance."""
        shape = (len(self.sessions), len(self.symbols))
        for name in BAR_FIELDS:
            if (actual := getattr(self, name).shape) != shape:
                raise ValueError(f"{name} must have shape {shape}, was {actual}")
        if np.any(self.sessions[1:] <= self.sessions[:-1]):
            raise ValueError("sessions must be strictly ascending")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must be distinct")

    @classmethod
    def blank(cls, sessions: DateArray, symbols: Sequence[str]) -> Self:
        """Return a grid without any bar."""
        shape = (len(sessions), len(symbols))
        return cls(sessions, tuple(symbols), **{name: np.full(shape, blank) for name, blank in BLANKS.items()})

    @property
    def present(self) -> BoolArray:
        """Where there is a bar, shape (n_sessions, n_symbols)."""
        return ~np.isnan(self.close)

    def copy(self) -> Self:
        """Return the same bars, to be altered."""
        return type(self)(self.sessions, self.symbols, **{name: getattr(self, name).copy() for name in BAR_FIELDS})

    def remove(self, row: int, column: int) -> None:
        """Leave no bar there."""
        for name, blank in BLANKS.items():
            getattr(self, name)[row, column] = blank

    def select(self, symbols: Sequence[str]) -> Self:
        """Return the columns of these symbols, in this order.

        Raises
        ------
        KeyError
            If a symbol has no column.
        """
        position = {symbol: column for column, symbol in enumerate(self.symbols)}
        columns = np.array([position[symbol] for symbol in symbols], dtype=np.int64)
        picked = {name: getattr(self, name)[:, columns] for name in BAR_FIELDS}
        return type(self)(self.sessions, tuple(symbols), **picked)

    def between(self, first: date, last: date) -> Self:
        """Return the rows of the sessions in [first, last]."""
        start = np.searchsorted(self.sessions, np.datetime64(first, "D"), side="left")
        stop = np.searchsorted(self.sessions, np.datetime64(last, "D"), side="right")
        picked = {name: getattr(self, name)[start:stop] for name in BAR_FIELDS}
        return type(self)(self.sessions[start:stop], self.symbols, **picked)

    def merge(self, newer: Self) -> Self:
        """Return the union of both grids; where both have a bar, the whole bar of `newer` is taken.

        Symbols are sorted, so that the result does not depend on how the bars were split.
        """
        sessions = np.union1d(self.sessions, newer.sessions)
        symbols = tuple(sorted({*self.symbols, *newer.symbols}))
        merged = type(self).blank(sessions, symbols)
        for part in (self, newer):
            rows, columns = np.nonzero(part.present)
            target = (
                np.searchsorted(sessions, part.sessions)[rows],
                _positions(part.symbols, symbols)[columns],
            )
            for name in BAR_FIELDS:
                getattr(merged, name)[target] = getattr(part, name)[rows, columns]
        return merged

    def equals(self, other: Self) -> bool:
        """Tell whether both hold the same bars, bit for bit."""
        return all(
            self.symbols == other.symbols
            if field.name == "symbols"
            else np.array_equal(
                getattr(self, field.name), getattr(other, field.name), equal_nan=field.name != "sessions"
            )
            for field in fields(self)
        )


@dataclass(frozen=True, slots=True, eq=False)
class RevisedBars:
    """Bars and how new each of them is, shape (n_sessions, n_symbols); 0 where there is none."""

    bars: Bars
    revision: IntArray

    def history(self, column: int) -> Self:
        """Return the bars of one symbol from its first to its last."""
        present = np.flatnonzero(self.bars.present[:, column])
        rows = slice(present[0], present[-1] + 1) if len(present) else slice(0, 0)
        fields_of = {name: getattr(self.bars, name)[rows, [column]] for name in BAR_FIELDS}
        one = Bars(self.bars.sessions[rows], (self.bars.symbols[column],), **fields_of)
        return type(self)(one, self.revision[rows, [column]])


def _positions(wanted: Sequence[str], known: Sequence[str]) -> IntArray:
    position = {symbol: column for column, symbol in enumerate(known)}
    return np.array([position[symbol] for symbol in wanted], dtype=np.int64)
