"""Returns of a portfolio: the daily return on the capital at the open, and the time-weighted index."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from shared.arrays import FloatArray, IntArray
from shared.conventions import DAYS_PER_YEAR, WORST_DRAWDOWNS
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

BASE_NOT_POSITIVE = Unavailable(Reason.DEGENERATE_INPUT, "equity at the open, contributions included, is not positive")
CHAIN_BROKEN = Unavailable(
    Reason.DEGENERATE_INPUT, "the chain ended on a session with P&L but no positive capital, or with a loss above it"
)


def daily_returns(pnl: IntArray, base: IntArray) -> Quantities:
    """Return P&L over the capital at the open.

    Parameters
    ----------
    pnl, base : ndarray of int64, same shape
        P&L of the session, and equity at the previous close plus the contributions of the session, in cents.

    Returns
    -------
    Quantities
        Fractions; `DEGENERATE_INPUT` where the base is not positive.
    """
    funded = base > 0
    values = np.full(pnl.shape, np.nan)
    np.divide(pnl, base, out=values, where=funded)
    reasons = no_reasons(pnl.shape)
    reasons[~funded] = BASE_NOT_POSITIVE
    return Quantities(values, reasons)


def twr_index(opening: FloatArray, *, pnl: IntArray, base: IntArray) -> Quantities:
    """Return the time-weighted index: daily returns chain-linked, so that flows neither fake nor hide a gain.

    A session without capital and without P&L leaves the index where it was: a portfolio that waits for its first
    contribution, or, emptied, for its next. P&L without positive capital, or a loss above it, ends the chain for good:
    no index from there on.

    Parameters
    ----------
    opening : ndarray of shape (n_portfolios,)
        Index at the previous close, NaN where the chain is broken.
    pnl, base : ndarray of int64, shape (n_sessions, n_portfolios)
        As in `daily_returns`.

    Returns
    -------
    Quantities of shape (n_sessions, n_portfolios)
    """
    returns = np.zeros(pnl.shape)
    np.divide(pnl, base, out=returns, where=base > 0)
    broken = ((base <= 0) & (pnl != 0)) | (returns < -1.0)
    values = np.empty(pnl.shape)
    index = opening
    for session in range(pnl.shape[0]):
        grown = index * (1.0 + returns[session])
        index = np.where(broken[session] | ~np.isfinite(grown), np.nan, grown)
        values[session] = index
    reasons = no_reasons(pnl.shape)
    reasons[np.isnan(values)] = CHAIN_BROKEN
    return Quantities(values, reasons)


NOTHING_LEFT = Unavailable(Reason.DEGENERATE_INPUT, "everything had been lost before: nothing to measure a return on")


@dataclass(frozen=True, slots=True)
class Fall:
    """An index below its highest value so far, from the last close at it until it is reached again.

    `depth` is a fraction, zero or negative; `peak`, `trough` and `recovery` are places in the index, `recovery` None
    while the peak has not been reached again.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The falls of an index.

    `deepest` is at the first close without any; `worst` are the deepest ones, deepest first. `series` has the fall at
    every place.
    """

    deepest: Fall
    worst: tuple[Fall, ...]
    series: FloatArray

    @property
    def current(self) -> float:
        """Return how far the index is below its highest value in the end."""
        return float(self.series[-1])


def drawdown(index: FloatArray) -> Drawdown | Unavailable:
    """Return the drawdowns of a time-weighted index, in which flows are no gains and no losses.

    Parameters
    ----------
    index : ndarray of shape (n,)
        The index at consecutive closes, the first one that before the window; NaN where its chain is broken.

    Returns
    -------
    Drawdown or Unavailable
        The earlier of equally deep ones first; `DEGENERATE_INPUT` where the chain is broken or begins at zero,
        `INSUFFICIENT_HISTORY` for fewer than two values.
    """
    if index.size < 2:
        return Unavailable(Reason.INSUFFICIENT_HISTORY, f"{index.size} of 2 closes")
    if not np.isfinite(index).all():
        return CHAIN_BROKEN
    if index[0] <= 0:
        return NOTHING_LEFT
    series = index / np.maximum.accumulate(index) - 1.0
    falls = sorted(_falls(series), key=lambda fall: fall.depth)
    return Drawdown(falls[0] if falls else Fall(0.0, 0, 0, 0), tuple(falls[:WORST_DRAWDOWNS]), series)


def _falls(series: FloatArray) -> Iterator[Fall]:
    below = series < 0
    peaks, recoveries = np.flatnonzero(~below[:-1] & below[1:]), np.flatnonzero(below[:-1] & ~below[1:]) + 1
    for peak, recovery in zip_longest(peaks.tolist(), recoveries.tolist()):
        trough = peak + int(series[peak:recovery].argmin())
        yield Fall(float(series[trough]), peak, trough, recovery)


def annualised(whole: float | Unavailable, days: int) -> float | Unavailable:
    """Return a year's return at the rate of a window; shorter windows have none, by the GIPS standards."""
    if isinstance(whole, Unavailable):
        return whole
    if days < DAYS_PER_YEAR:
        return Unavailable(Reason.NOT_APPLICABLE, f"{days} days are no year")
    return float((1.0 + whole) ** (DAYS_PER_YEAR / days)) - 1.0


def chained_return(before: float, after: float) -> float | Unavailable:
    """Return the time-weighted return between two values of an index; NaN, a broken chain, and zero have none after."""
    if not (np.isfinite(before) and np.isfinite(after)):
        return CHAIN_BROKEN
    return after / before - 1.0 if before > 0 else NOTHING_LEFT
