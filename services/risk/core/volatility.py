"""Volatility of portfolios: what today's book would have done."""

from dataclasses import dataclass

import numpy as np

from services.risk.core.books import Books
from services.risk.core.ratios import coverage_of, quantities, withheld
from shared.conventions import SESSIONS_PER_YEAR
from shared.unavailable import BoolArray, FloatArray, IntArray, Quantities, Reason, ReasonArray, Unavailable


@dataclass(frozen=True, slots=True)
class ReturnSeries:
    """Hypothetical returns of today's books over a window.

    Parameters
    ----------
    values : ndarray of shape (n_portfolios, n_sessions)
        Oldest first; NaN rows where `unavailable` has a reason.
    unavailable : ndarray of object, shape (n_portfolios,)
        Why a portfolio has no series, or None.
    coverage : Quantities of shape (n_portfolios,)
        Gross exposure of the holdings in the series over total gross.
    """

    values: FloatArray
    unavailable: ReasonArray
    coverage: Quantities


def return_series(books: Books, returns: FloatArray, *, window: int) -> ReturnSeries:
    """Return the series of today's weights times past total returns.

    The weight of a holding is its signed exposure over equity, so cash earns nothing, leverage and shorts count as
    they are, and the weights need not sum to one.

    Parameters
    ----------
    books : Books
        Holdings in cents.
    returns : ndarray of shape (n_symbols, n_sessions)
        Total returns on consecutive sessions, oldest first, the last one that of the calculation session; NaN where
        missing.
    window : int
        Sessions, counted from the last.

    Returns
    -------
    ReturnSeries
        `DEGENERATE_INPUT` when equity is not positive, `NOT_APPLICABLE` for an empty book, `INSUFFICIENT_HISTORY` with
        the counts when no holding has every return of the window.

    Notes
    -----
    NaN policy: a holding that misses a return anywhere in the window is left out of all of it, so that the series has
    one composition; `coverage` tells how much is in. Its weight is not spread over the others.
    """
    available = returns[:, -window:]
    present = np.isfinite(available).sum(axis=1)
    complete = present == window
    covered = complete[books.symbol]
    coverage = coverage_of(books, covered)
    reasons = withheld(books)
    _explain_uncovered(reasons, books, present=present, window=window, coverage=coverage)

    series = np.full((books.n_portfolios, window), np.nan)
    usable = ~reasons.astype(np.bool_)
    if usable.any():
        series[usable] = _weighted_sums(books, available, covered=covered)[usable]
    return ReturnSeries(series, reasons, coverage)


def realised_volatility(series: ReturnSeries) -> Quantities:
    """Return the annualised sample standard deviation of each series: fractions, shape (n_portfolios,)."""
    n_sessions = series.values.shape[1]
    if n_sessions < 2:
        raise ValueError(f"a standard deviation needs at least 2 sessions, was {n_sessions}")
    deviations = series.values - series.values.sum(axis=-1, keepdims=True) / n_sessions
    variance = (deviations * deviations).sum(axis=-1) / (n_sessions - 1)
    return quantities(np.sqrt(variance * SESSIONS_PER_YEAR), series.unavailable)


def _weighted_sums(books: Books, returns: FloatArray, *, covered: BoolArray) -> FloatArray:
    """Return the sum of weight times return per portfolio and session, holdings in their canonical order.

    One session at a time: a matrix product over the holdings would round differently with the size of the shard.
    """
    holding = np.flatnonzero(covered)
    portfolio, symbol = books.portfolio[holding], books.symbol[holding]
    equity = np.where(books.equity > 0, books.equity, 1)
    weights = books.net[holding] / equity[portfolio]
    by_session = np.ascontiguousarray(returns.T)  # (n_sessions, n_symbols)
    series = np.empty((books.n_portfolios, by_session.shape[0]))
    for session, day in enumerate(by_session):
        series[:, session] = np.bincount(portfolio, weights=weights * day[symbol], minlength=books.n_portfolios)
    return series


def _explain_uncovered(
    reasons: ReasonArray, books: Books, *, present: IntArray, window: int, coverage: Quantities
) -> None:
    """Fill in, in place, why portfolios without any complete holding have no series."""
    most = np.zeros(books.n_portfolios, dtype=np.int64)
    np.maximum.at(most, books.portfolio, present[books.symbol])
    for portfolio in np.flatnonzero(~reasons.astype(np.bool_) & (coverage.values == 0)):
        detail = f"no holding has all {window} returns, the most complete has {most[portfolio]}"
        reasons[portfolio] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
