"""The arrays a roll works on: positions, their exits, and the market of the sessions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray

NOT_IN_WINDOW: Final = -1  # session of an entry outside the sessions of the roll
UNPRICED: Final = -1  # column of a symbol without prices


@dataclass(frozen=True, slots=True)
class PositionArrays:
    """Positions as arrays of shape (n_positions,).

    `portfolio`, `column` (of the market, for closes and dividends) and `split_column` (for splits: a contract is split
    as its underlying is) are indices, `UNPRICED` if none. `multiplier` are the units of a price that one of a position
    is worth, 0 of one that is not valued. `entry_session` is the index of the session that books the
    entry or `NOT_IN_WINDOW`. `entry_quantity` is signed.
    """

    portfolio: IntArray
    column: IntArray
    split_column: IntArray
    multiplier: IntArray
    entry_session: IntArray
    entry_quantity: FloatArray
    entry_price: FloatArray


@dataclass(frozen=True, slots=True)
class ExitRound:
    """Exits of one session, at most one of a position: whose, the size to close (NaN: what is left) and the price."""

    position: IntArray
    size: FloatArray
    price: FloatArray


@dataclass(frozen=True, slots=True)
class Exits:
    """Exits as arrays of shape (n_exits,), those of one position in the order in which they happened."""

    position: IntArray
    session: IntArray
    size: FloatArray
    price: FloatArray

    def then(self, later: "Exits") -> "Exits":
        """Return these exits and others that come after them on the same session."""
        columns = ((getattr(self, name), getattr(later, name)) for name in ("position", "session", "size", "price"))
        return Exits(*(np.concatenate(pair) for pair in columns))

    def only(self, kept: BoolArray) -> "Exits":
        """Return some of them."""
        return Exits(self.position[kept], self.session[kept], self.size[kept], self.price[kept])

    def rounds(self, session: int) -> Iterator[ExitRound]:
        """Yield the exits of a session in rounds with at most one exit of a position each, first exits first."""
        pending = np.flatnonzero(self.session == session)
        while pending.size:
            _, first = np.unique(self.position[pending], return_index=True)
            now = pending[first]
            yield ExitRound(self.position[now], self.size[now], self.price[now])
            pending = np.delete(pending, first)


@dataclass(frozen=True, slots=True)
class CashFlows:
    """Money paid in and taken out, arrays of shape (n_sessions, n_portfolios), cents, neither negative.

    Both directions of a session are kept apart: contributions are capital from its open, withdrawals leave at its
    close.
    """

    contributions: IntArray
    withdrawals: IntArray

    @property
    def net(self) -> IntArray:
        """Return contributions less withdrawals."""
        return self.contributions - self.withdrawals


@dataclass(frozen=True, slots=True)
class Quotes:
    """One session as seen by each position, arrays of shape (n_positions,).

    `close` (NaN: none), `split` factor and `dividend` a share.
    """

    close: FloatArray
    split: FloatArray
    dividend: FloatArray


@dataclass(frozen=True, slots=True)
class Market:
    """Bars of the sessions of a roll, arrays of shape (n_sessions, n_symbols).

    `closes` as traded; `splits` the factor effective that session (1: none); `dividends` cash a share, ex that
    session, in the shares of that session.
    """

    closes: FloatArray
    splits: FloatArray
    dividends: FloatArray

    def __post_init__(self) -> None:
        if not self.closes.shape == self.splits.shape == self.dividends.shape:
            shapes = self.closes.shape, self.splits.shape, self.dividends.shape
            raise ValueError(f"closes, splits and dividends must have one shape, was {shapes}")

    @property
    def n_sessions(self) -> int:
        """Return the number of sessions."""
        return int(self.closes.shape[0])

    def closes_of(self, columns: IntArray) -> FloatArray:
        """Return the closes of some columns, NaN where there is none, (n_sessions, n_columns)."""
        return _cleaned(self.closes, minimum_excluded=0.0, otherwise=np.nan)[:, columns]

    def quotes_of(self, positions: PositionArrays) -> list[Quotes]:
        """Return the sessions as seen by positions; `UNPRICED` ones see no close, split or dividend."""
        closes = _cleaned(self.closes, minimum_excluded=0.0, otherwise=np.nan)
        splits = _cleaned(self.splits, minimum_excluded=0.0, otherwise=1.0)
        dividends = _cleaned(self.dividends, minimum_excluded=0.0, otherwise=0.0)
        return [
            Quotes(close[positions.column], split[positions.split_column], dividend[positions.column])
            for close, split, dividend in zip(closes, splits, dividends, strict=True)
        ]


def _cleaned(values: FloatArray, *, minimum_excluded: float, otherwise: float) -> FloatArray:
    """Return the values with unusable ones replaced, and a last column (index -1, `UNPRICED`) of replacements."""
    usable = np.isfinite(values) & (values > minimum_excluded)
    cleaned: FloatArray = np.pad(np.where(usable, values, otherwise), ((0, 0), (0, 1)), constant_values=otherwise)
    return cleaned
