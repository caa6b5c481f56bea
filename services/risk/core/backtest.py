"""How often losses exceeded the historical VaR of their eve, and whether in clusters (methodology, 10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import special

from services.risk.core.ratios import quantities
from services.risk.core.tails import empirical_tail, var_rank
from services.risk.core.volatility import ReturnSeries
from shared.arrays import BoolArray, FloatArray, IntArray
from shared.conventions import BACKTEST_MIN_SESSIONS, BACKTEST_SESSIONS, VAR_LEVELS
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_COMPARED_AT_ONCE: Final = 4096  # losses, each with the window before it


@dataclass(frozen=True, slots=True)
class Backtest:
    """How often the loss of a session exceeded the VaR of its eve; each of shape (n_portfolios, n_levels).

    `sessions` that were tested, `exceptions` among them; likelihood ratios and p values of Kupiec's (1995) test of the
    frequency that the level promises, of Christoffersen's (1998) test that an exception does not make the next one more
    likely, and of both together.
    """

    sessions: Quantities
    exceptions: Quantities
    kupiec: Quantities
    kupiec_p: Quantities
    independence: Quantities
    independence_p: Quantities
    coverage: Quantities
    coverage_p: Quantities


def backtest(series: ReturnSeries, history: FloatArray) -> Backtest:
    """Compare losses with the historical VaR that was served before each: the same window, of one session.

    Parameters
    ----------
    series : ReturnSeries
        What today's VaR is estimated on; its length is the window.
    history : ndarray of shape (n_portfolios, n_sessions)
        Returns of the same holdings as far back as they have all of them, ending with the series; NaN before.

    Returns
    -------
    Backtest
        Over the last BACKTEST_SESSIONS at most, and as many as the history allows; fewer than BACKTEST_MIN_SESSIONS of
        the level are `INSUFFICIENT_HISTORY`.

    Notes
    -----
    With x exceptions in m sessions, p the promised share and ``l(x, m, q) = x ln q + (m - x) ln(1 - q)``, Kupiec's
    ratio is ``2 (l(x, m, x/m) - l(x, m, p))``. Of pairs of sessions one after the other, Christoffersen's compares the
    shares of exceptions after an exception and after none with the share after either. Chi-squared with one degree of
    freedom, and with two for their sum.
    """
    exceeded, tested = _exceptions(series, history)
    sessions = tested.sum(axis=1)
    counted = exceeded.sum(axis=1)  # (n_portfolios, n_levels)
    ratio = _ratio(counted, np.repeat(sessions[:, None], len(VAR_LEVELS), axis=1), 1 - np.array(VAR_LEVELS) / 100)
    pairs = (tested[:, 1:] & tested[:, :-1])[..., None]
    after, first = exceeded[:, 1:], exceeded[:, :-1]
    hits, total = (after & pairs).sum(axis=1), np.broadcast_to(pairs, after.shape).sum(axis=1)
    repeated, eves = (after & first).sum(axis=1), (first & pairs).sum(axis=1)
    apart = _likelihood(repeated, eves) + _likelihood(hits - repeated, total - eves)
    clustered = np.maximum(2.0 * (apart - _likelihood(hits, total)), 0.0)
    reasons = np.repeat(series.unavailable[:, None], len(VAR_LEVELS), axis=1)
    for level, needed in enumerate(BACKTEST_MIN_SESSIONS):
        for portfolio in np.flatnonzero(is_available(series.unavailable) & (sessions < needed)):
            detail = f"{sessions[portfolio]} of {needed} sessions after the {series.length[portfolio]} of the window"
            reasons[portfolio, level] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
    figures = {"kupiec": (ratio, 1), "independence": (clustered, 1), "coverage": (ratio + clustered, 2)}
    found = {name: quantities(value, reasons) for name, (value, _) in figures.items()}
    found |= {
        f"{name}_p": quantities(np.asarray(special.chdtrc(freedom, value), dtype=np.float64), reasons)
        for name, (value, freedom) in figures.items()
    }
    return Backtest(
        sessions=quantities(np.repeat(sessions[:, None], len(VAR_LEVELS), axis=1).astype(np.float64), reasons),
        exceptions=quantities(counted.astype(np.float64), reasons),
        **found,
    )


def _exceptions(series: ReturnSeries, history: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return which losses exceeded the VaR before them, (n, BACKTEST_SESSIONS, n_levels), and which were compared."""
    n_sessions = history.shape[1]
    exceeded = np.zeros((len(history), BACKTEST_SESSIONS, len(VAR_LEVELS)), dtype=np.bool_)
    tested = np.zeros(exceeded.shape[:2], dtype=np.bool_)
    missing = np.isnan(history)
    first = np.where(missing.any(axis=1), n_sessions - missing[:, ::-1].argmax(axis=1), 0)  # after the last gap
    for window in np.unique(series.length[series.length > 0]).tolist():
        begin = np.maximum(first + window, n_sessions - BACKTEST_SESSIONS)
        compared = (series.length == window)[:, None] & (np.arange(n_sessions) >= begin[:, None])
        rows, sessions = np.nonzero(compared)
        if not rows.size:
            continue
        losses = -history
        before = sliding_window_view(losses, window, axis=1)
        for start in range(0, rows.size, _COMPARED_AT_ONCE):
            row, session = rows[start : start + _COMPARED_AT_ONCE], sessions[start : start + _COMPARED_AT_ONCE]
            place = session - (n_sessions - BACKTEST_SESSIONS)
            tested[row, place] = True
            exceeded[row, place] = _exceeds(losses[row, session], before[row, session - window])
    return exceeded, tested


def _exceeds(loss: FloatArray, before: FloatArray) -> BoolArray:
    """Return which losses exceed the VaR of those before, (n, n_levels).

    How many of them are as large decides it, but where the loss lies between the two that the VaR is between.
    """
    found = np.zeros((len(loss), len(VAR_LEVELS)), dtype=np.bool_)
    as_large = (before >= loss[:, None]).sum(axis=1)
    for number, level in enumerate(VAR_LEVELS):
        rank, beyond = var_rank(before.shape[1], level)
        found[:, number] = as_large < rank
        between = np.flatnonzero(as_large == rank) if beyond and rank else np.zeros(0, dtype=np.int64)
        if between.size:
            found[between, number] = loss[between] > empirical_tail(before[between])[0][:, number]
    return found


def _ratio(counted: IntArray, sessions: IntArray, promised: FloatArray) -> FloatArray:
    """Return Kupiec's likelihood ratio."""
    expected = special.xlogy(counted, promised) + special.xlogy(sessions - counted, 1 - promised)
    ratio: FloatArray = np.maximum(2.0 * (_likelihood(counted, sessions) - expected), 0.0)
    return ratio


def _likelihood(counted: IntArray, sessions: IntArray) -> FloatArray:
    """Return the logarithm of the likelihood at the observed share; 0 ln 0 is nothing."""
    share = counted / np.maximum(sessions, 1)
    found: FloatArray = special.xlogy(counted, share) + special.xlogy(sessions - counted, 1 - share)
    return found
