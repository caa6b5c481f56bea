"""Volatility of portfolios: what today's book would have done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import coverage_of, quantities, why_not_over_equity
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import SERIES_COVERAGE, SERIES_WINDOWS, TREND_SESSIONS, VOLATILITY_WINDOWS, WINDOW_MIN_SHARE
from shared.returns import annualised_deviation
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_ROUNDING: Final = 1e-9  # of a quotient that is whole
TREND_WINDOW: Final = VOLATILITY_WINDOWS[0]  # sessions of the volatilities whose trend and percentile are taken


@dataclass(frozen=True, slots=True)
class ReturnSeries:
    """Hypothetical returns of today's books over a window.

    Parameters
    ----------
    values : ndarray of shape (n_portfolios, n_sessions)
        Oldest first, ending at the calculation session; NaN before a portfolio's own `length`, and everywhere where
        `unavailable` has a reason.
    length : ndarray of int64, shape (n_portfolios,)
        Returns in the series, 0 where there is none.
    unavailable : ndarray of object, shape (n_portfolios,)
        Why a portfolio has no series, or None.
    coverage : Quantities of shape (n_portfolios,)
        Gross exposure of the holdings in the series over total gross.
    covered : ndarray of bool, shape (n_holdings,)
        Which holdings these are.
    revaluation : ndarray of shape (n_portfolios, n_sessions), optional
        What in `values` options add to their deltas.
    ages : mapping of portfolio to ndarray of int64, shape (n_sessions,)
        How many sessions before the last one each return is of, where sessions are left out.
    """

    values: FloatArray
    length: IntArray
    unavailable: ReasonArray
    coverage: Quantities
    covered: BoolArray
    revaluation: FloatArray | None = None
    ages: Mapping[int, IntArray] = field(default_factory=dict)

    def of_length(self, length: int) -> "ReturnSeries":
        """Return the last `length` returns of the portfolios that have as many, a reason for the others."""
        reasons = self.unavailable.copy()
        for portfolio in np.flatnonzero(is_available(reasons) & (self.length < length)):
            detail = f"{self.length[portfolio]} of {length} returns"
            reasons[portfolio] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
        kept = is_available(reasons)
        values = np.where(kept[:, None], self.values[:, -length:], np.nan)
        return ReturnSeries(values, np.where(kept, length, 0), reasons, self.coverage, self.covered)


def return_series(holdings: NetHoldings, returns: FloatArray, *, window: int) -> ReturnSeries:
    """Return the series of today's weights times past total returns, options revalued on them.

    The weight of a holding is its signed exposure over equity, so cash earns nothing, leverage and shorts count as
    they are, and the weights need not sum to one.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents.
    returns : ndarray of shape (n_symbols, n_sessions)
        Total returns on consecutive sessions, oldest first, the last one that of the calculation session; NaN where
        missing.
    window : int
        Sessions, counted from the last.

    Returns
    -------
    ReturnSeries
        `DEGENERATE_INPUT` when equity is not positive, `NOT_APPLICABLE` for an empty book; when no holding has every
        return of the window, `MISSING_DATA` with the counts where one has returns from before it on, else
        `INSUFFICIENT_HISTORY`.

    Notes
    -----
    NaN policy: a holding that misses a return anywhere in the window is left out of all of it, so that the series has
    one composition; `coverage` tells how much is in. Its weight is not spread over the others. Where that would be too
    much of a book, the sessions are left out instead (`_composition`).
    """
    made_of = _composition(holdings, returns, window)
    reasons = why_not_over_equity(holdings)
    _explain_uncovered(reasons, holdings, returns, window=window, coverage=made_of.coverage)

    series = np.full((holdings.n_portfolios, window), np.nan)
    usable = is_available(reasons)
    if usable.any():
        available = returns[:, -_span(window, returns) :] if made_of.ages else returns[:, -window:]
        linear = _weighted_sums(holdings, available, covered=made_of.covered)
        found = linear + revaluation(holdings, available, covered=made_of.covered)
        series[usable] = found[usable, -window:]
        for portfolio, age in made_of.ages.items():
            series[portfolio] = np.where(usable[portfolio], found[portfolio, -1 - age], np.nan)
    length = np.where(usable, window, 0)
    return ReturnSeries(series, length, reasons, made_of.coverage, made_of.covered, ages=made_of.ages)


def longest_series(holdings: NetHoldings, returns: FloatArray) -> tuple[ReturnSeries, FloatArray]:
    """Return the series of each portfolio over the longest window that speaks for its book, and what was before it.

    Parameters
    ----------
    holdings, returns
        As for `return_series`, with at least ``SERIES_WINDOWS[0]`` sessions.

    Returns
    -------
    series : ReturnSeries
        Per portfolio the longest of SERIES_WINDOWS in which holdings with SERIES_COVERAGE of the gross exposure have
        every return; where none has, the one that covers most, the longer of equals. Values are as wide as the longest
        window.
    history : ndarray of shape (n_portfolios, n_sessions)
        The returns of the same holdings on all sessions given; NaN where one of them has none. Where the series leaves
        such sessions out, so does this, and is NaN as much longer before it begins.

    Notes
    -----
    A young holding would otherwise either shorten the series of the whole book or be silently left out of it.
    """
    windows = np.array(SERIES_WINDOWS)
    made_of = [_composition(holdings, returns, window) for window in SERIES_WINDOWS]
    covered, parts = np.stack([one.covered for one in made_of]), [one.coverage for one in made_of]
    shares = np.array([np.nan_to_num(part.values) for part in parts])
    enough = shares >= SERIES_COVERAGE
    chosen = np.where(enough.any(axis=0), enough.argmax(axis=0), shares.argmax(axis=0))  # (n_portfolios,)
    inside = covered[chosen[holdings.portfolio], np.arange(holdings.symbol.size)]
    coverage = coverage_of(holdings, inside)
    reasons = why_not_over_equity(holdings)
    for number, window in enumerate(SERIES_WINDOWS):
        mine = reasons.copy()
        _explain_uncovered(mine, holdings, returns, window=window, coverage=parts[number])
        reasons[chosen == number] = mine[chosen == number]

    usable = is_available(reasons)
    added = revaluation(holdings, returns, covered=inside)
    history = np.where(usable[:, None], _weighted_sums(holdings, returns, covered=inside) + added, np.nan)
    ages = {
        portfolio: age
        for number, one in enumerate(made_of)
        for portfolio, age in one.ages.items()
        if chosen[portfolio] == number
    }
    for portfolio in ages:
        known = history[portfolio][np.isfinite(history[portfolio])]
        history[portfolio] = np.pad(known, (history.shape[1] - known.size, 0), constant_values=np.nan)
    length = np.where(usable, windows[chosen], 0)
    widest = SERIES_WINDOWS[0]
    age = np.arange(widest)[::-1]
    values = np.where(age < length[:, None], history[:, -widest:], np.nan)
    return ReturnSeries(values, length, reasons, coverage, inside, added[:, -widest:], ages), history


@dataclass(frozen=True, slots=True)
class _Composition:
    """Which holdings series over a window are made of, what part of gross they are, and `ages` as in ReturnSeries."""

    covered: BoolArray
    coverage: Quantities
    ages: Mapping[int, IntArray]


def _composition(holdings: NetHoldings, returns: FloatArray, window: int) -> _Composition:
    """Return what the series of each portfolio is made of.

    The holdings that have every return of the window. Where these are less than SERIES_COVERAGE of a book without
    options, also those that have as many in the sessions of which the window is WINDOW_MIN_SHARE; the series is then
    the last ones that all of them have, if these are as many: a missing print takes a session away and not a holding.
    """
    known = np.isfinite(returns[:, -_span(window, returns) :])
    complete = (known[:, -window:].sum(axis=1) == window)[holdings.symbol]
    nearly = complete | (known.sum(axis=1) >= window)[holdings.symbol]
    coverage = coverage_of(holdings, complete)
    lacking = np.nan_to_num(coverage.values, nan=1.0) < SERIES_COVERAGE
    # Over several sessions options are revalued on moves of sessions that follow one another.
    lacking[holdings.portfolio[holdings.options.place]] = False
    bounds, covered = holdings.bounds(), complete.copy()
    ages: dict[int, IntArray] = {}
    for portfolio in np.unique(holdings.portfolio[nearly & ~complete & lacking[holdings.portfolio]]).tolist():
        mine = np.arange(bounds[portfolio], bounds[portfolio + 1])
        mine = mine[nearly[mine]]
        kept = np.flatnonzero(np.asarray(known[holdings.symbol[mine]].all(axis=0)))
        if kept.size >= window:
            covered[mine] = True
            ages[portfolio] = known.shape[1] - 1 - kept[-window:]
    return _Composition(covered, coverage_of(holdings, covered) if ages else coverage, ages)


def _span(window: int, returns: FloatArray) -> int:
    """Return the sessions that a series over a window looks back on at most."""
    looked_at = int(window / WINDOW_MIN_SHARE + _ROUNDING)
    return min(looked_at, int(returns.shape[1]))


def rolling_volatility(series: ReturnSeries) -> FloatArray:
    """Return the annualised volatility of every stretch of TREND_WINDOW returns, the last one today's.

    Shape (n_portfolios, n_sessions - TREND_WINDOW + 1); NaN where a return of the stretch is missing.
    """
    stretches = np.lib.stride_tricks.sliding_window_view(series.values, TREND_WINDOW, axis=1)
    return annualised_deviation(stretches)


def volatility_trend(series: ReturnSeries, *, sessions: int = TREND_SESSIONS) -> tuple[Quantities, Quantities]:
    """Return slope and strength of the line through the last volatilities over TREND_WINDOW sessions.

    Parameters
    ----------
    series : ReturnSeries
        With ``TREND_WINDOW + sessions - 1`` returns.
    sessions : int
        Volatilities in the line, at least 2.

    Returns
    -------
    tuple of Quantities of shape (n_portfolios,)
        The least-squares slope, annualised fraction a session, and the R squared of the line: 0 for volatilities that
        do not move.
    """
    recent = rolling_volatility(series)[:, -sessions:]
    place = np.arange(sessions) - (sessions - 1) / 2
    level = recent.sum(axis=-1, keepdims=True) / sessions
    slope = (recent * place).sum(axis=-1) / (place * place).sum()
    explained = slope * slope * (place * place).sum()
    total = ((recent - level) ** 2).sum(axis=-1)
    strength = np.divide(explained, total, out=np.zeros_like(total), where=total > 0)
    return quantities(slope, series.unavailable), quantities(np.minimum(strength, 1.0), series.unavailable)


def volatility_percentile(series: ReturnSeries) -> Quantities:
    """Return the share of a series' volatilities over TREND_WINDOW sessions that lie strictly below today's, 0 to 1."""
    rolling = rolling_volatility(series)
    below = (rolling < rolling[:, -1:]).sum(axis=-1)
    return quantities(below / rolling.shape[1], series.unavailable)


def realised_volatility(series: ReturnSeries) -> Quantities:
    """Return the annualised sample standard deviation of each series: fractions, shape (n_portfolios,)."""
    n_sessions = series.values.shape[1]
    if n_sessions < 2:
        raise ValueError(f"a standard deviation needs at least 2 sessions, was {n_sessions}")
    return quantities(annualised_deviation(series.values), series.unavailable)


def revaluation(holdings: NetHoldings, returns: FloatArray, *, covered: BoolArray) -> FloatArray:
    """Return what options add to their deltas, over equity, (n_portfolios, n_sessions)."""
    return holdings.over_capital(holdings.convexity(returns, covered=covered))


def _weighted_sums(holdings: NetHoldings, returns: FloatArray, *, covered: BoolArray) -> FloatArray:
    """Return the sum of weight times return per portfolio and session, holdings in their canonical order.

    A product of a dense matrix would round differently with the size of the shard. That of a sparse one adds a
    portfolio's holdings one after another, as a loop would.
    """
    holding = np.flatnonzero(covered)
    equity = np.where(holdings.equity > 0, holdings.equity, 1)
    weights = holdings.net[holding] / equity[holdings.portfolio[holding]]
    firsts = np.searchsorted(holdings.portfolio[holding], np.arange(holdings.n_portfolios + 1))
    shape = holdings.n_portfolios, returns.shape[0]
    sums: FloatArray = csr_array((weights, holdings.symbol[holding], firsts), shape=shape) @ returns
    return sums


def _explain_uncovered(
    reasons: ReasonArray, holdings: NetHoldings, returns: FloatArray, *, window: int, coverage: Quantities
) -> None:
    """Fill in, in place, why portfolios without any complete holding have no series."""
    lacking = np.flatnonzero(is_available(reasons) & (coverage.values == 0))
    if not lacking.size:
        return
    known = np.isfinite(returns)
    present = known[:, -window:].sum(axis=1)
    begun: BoolArray = np.asarray(known[:, : max(returns.shape[1] - window + 1, 0)].any(axis=1))
    most, old = np.zeros(holdings.n_portfolios, dtype=np.int64), np.zeros(holdings.n_portfolios, dtype=np.bool_)
    np.maximum.at(most, holdings.portfolio, present[holdings.symbol])
    np.logical_or.at(old, holdings.portfolio, begun[holdings.symbol])
    for portfolio in lacking:
        detail = f"no holding has all {window} returns, the most complete has {most[portfolio]}"
        reason = Reason.MISSING_DATA if old[portfolio] else Reason.INSUFFICIENT_HISTORY
        reasons[portfolio] = Unavailable(reason, detail)
