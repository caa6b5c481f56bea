"""Returns over the usual horizons and realised volatility, all symbols at once (methodology, 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final

import numpy as np

from services.symbol_analytics.core.anchors import CALENDAR_HORIZONS, HORIZONS, SESSION_HORIZONS
from services.symbol_analytics.core.freshness import checked_closes, why_no_close, why_not_current
from services.symbol_analytics.core.rows import OUT_OF_RANGE
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray, ReasonArray
from shared.conventions import STALE_AFTER_SESSIONS, VOLATILITY_WINDOWS, WINDOW_MIN_SHARE
from shared.returns import annualised_deviation, deviation_of_present, simple_returns
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons, reason_where

# How many sessions before its anchor a base may lie. An older close would make a "1m" return one of another period.
BASE_WITHIN_SESSIONS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPrices(Quantities):
    """Numbers measured from prices, and what they were measured from; every array of shape (n_symbols, n_measures).

    Parameters
    ----------
    n_observations : ndarray of int64
        Closes of a return, returns of a volatility that were there, also where they were too few.
    first_row : ndarray of int64
        Row of the closes given, that is session, of a return's base and of a volatility's first return; -1 where there
        is no number. The last row is always the last session.
    """

    n_observations: IntArray
    first_row: IntArray


def side_by_side(tables: Sequence[MeasuredPrices]) -> MeasuredPrices:
    """Return the measures of several tables of the same symbols as one."""
    return MeasuredPrices(
        *(
            np.concatenate([getattr(table, name) for table in tables], axis=1)
            for name in ("values", "unavailable", "n_observations", "first_row")
        )
    )


def split_adjusted_closes(closes: FloatArray, split_factors: FloatArray) -> FloatArray:
    """Return as-traded closes in the share units of the last session.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        As traded, oldest first; NaN where there is none.
    split_factors : ndarray of shape (n_sessions, n_symbols)
        New shares per old share effective that session, 1 where there is no split; needed whether or not the session
        has a close.

    Returns
    -------
    ndarray of shape (n_sessions, n_symbols)
        Each close over the product of the factors of later sessions.

    Raises
    ------
    ValueError
        If the shapes disagree, or a factor is missing, infinite or not positive.

    Notes
    -----
    NaN policy: propagated in `closes`, rejected in `split_factors`.

    Examples
    --------
    >>> split_adjusted_closes(np.array([[400.0], [101.0]]), np.array([[1.0], [4.0]])).tolist()
    [[100.0], [101.0]]
    """
    prices = checked_closes(closes)
    if split_factors.shape != prices.shape:
        raise ValueError(f"split_factors must have the shape {prices.shape}, was {split_factors.shape}")
    wrong = ~(np.isfinite(split_factors) & (split_factors > 0.0))
    if wrong.any():
        raise ValueError(f"split_factors must be positive and finite, was {split_factors[wrong][0]}")
    adjusted: FloatArray = prices / later_splits(split_factors)
    return adjusted


def later_splits(split_factors: FloatArray) -> FloatArray:
    """Return for each session the product of the factors of later sessions, of the shape (n_sessions, n_symbols)."""
    later = np.ones_like(split_factors)
    later[:-1] = np.cumprod(split_factors[:0:-1], axis=0)[::-1]
    return later


def horizon_returns(closes: FloatArray, sessions: DateArray) -> MeasuredPrices:
    """Return the simple returns to the last session over every horizon of HORIZONS, in that order.

    The base is the last close on or before the horizon's anchor: a number of sessions back (1d, 5d), the same day some
    calendar months back (1m, 3m, 6m, 1y), or the end of the previous month, quarter or year (mtd, qtd, ytd). The base
    of 1d is the previous session and no other; any other base may lie at most BASE_WITHIN_SESSIONS sessions before
    the session of its anchor.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Oldest first; NaN where there is none. Split-adjusted closes give price returns, total-return adjusted closes
        give total returns.
    sessions : ndarray of datetime64[D], shape (n_sessions,)
        The dates of the rows, consecutive sessions, ascending; the last one is as_of.

    Returns
    -------
    MeasuredPrices of shape (n_symbols, n_horizons)
        Fractions, not annualised. `MISSING_DATA` without a close at as_of or near the anchor, `STALE_INPUT` if the
        last close is too old, `INSUFFICIENT_HISTORY` if the first close, or the first session, is after the anchor,
        `DEGENERATE_INPUT` beyond the range of a float.

    Raises
    ------
    ValueError
        If the shapes disagree, the sessions do not ascend, or a price is infinite or not positive.

    Notes
    -----
    NaN policy: a missing close is a reason. A symbol's returns are the same bits whatever symbols share the shard.
    """
    prices = checked_closes(closes)
    days = sessions.astype("datetime64[D]")
    if days.shape != (len(prices),) or not (np.diff(days) > np.timedelta64(0, "D")).all():
        raise ValueError(f"sessions must be {len(prices)} ascending dates, was of shape {days.shape}")
    as_of: date = days[-1].tolist()
    bases = {horizon: len(prices) - 1 - back for horizon, back in SESSION_HORIZONS.items()}
    for horizon, anchor in CALENDAR_HORIZONS.items():
        bases[horizon] = int(np.searchsorted(days, np.datetime64(anchor(as_of), "D"), side="right")) - 1
    no_close_now = why_no_close(prices, as_of)
    columns = [_return_from(prices, days, bases[horizon], horizon=horizon) for horizon in HORIZONS]
    return side_by_side([_first_reason(no_close_now, column) for column in columns])


def realised_volatilities(
    adjusted_closes: FloatArray, *, windows: Sequence[int] = VOLATILITY_WINDOWS
) -> MeasuredPrices:
    """Return the annualised sample standard deviation of the last returns, for each window.

    Parameters
    ----------
    adjusted_closes : ndarray of shape (n_sessions, n_symbols)
        Total-return adjusted closes on consecutive sessions, oldest first, the last row at as_of; NaN where there is
        none. At least one row more than the longest window.
    windows : sequence of int, default=VOLATILITY_WINDOWS
        Numbers of returns, each at least 2.

    Returns
    -------
    MeasuredPrices of shape (n_symbols, n_windows)
        Fractions per year, of the returns that are there. `INSUFFICIENT_HISTORY` with the count where the prices begin
        within the window, `MISSING_DATA` with the count where fewer than WINDOW_MIN_SHARE of its returns are there, or
        the reason for which the prices end before as_of; `DEGENERATE_INPUT` beyond the range of a float.

    Raises
    ------
    ValueError
        If there are too few sessions, a window is below 2, or a price is infinite or not positive.

    Notes
    -----
    NaN policy: a missing return is left out and counted; a window is never filled up with older returns. A price that
    does not move has a volatility of zero, which is a number.
    """
    prices = checked_closes(adjusted_closes)
    if min(windows) < 2 or max(windows) >= len(prices):
        raise ValueError(f"windows must lie in [2, {len(prices) - 1}], was {tuple(windows)}")
    not_current = why_not_current(prices, stale_after=STALE_AFTER_SESSIONS)
    with np.errstate(over="ignore"):
        returns = np.ascontiguousarray(simple_returns(prices).T)  # (n_symbols, n_sessions - 1)
    begun = np.cumsum(~np.isnan(prices), axis=0) > 0  # (n_sessions, n_symbols): a close until then
    columns = [_volatility(returns, window, begun=begun[len(prices) - 1 - window]) for window in windows]
    return side_by_side([_first_reason(not_current, column) for column in columns])


def _return_from(closes: FloatArray, days: DateArray, base_row: int, *, horizon: str) -> MeasuredPrices:
    """Return the returns of one horizon, (n_symbols, 1), from the last close on or before a row."""
    if base_row < 0:
        why = Unavailable(Reason.INSUFFICIENT_HISTORY, f"the base of {horizon} lies before {days[0]}")
        nothing = Quantities.unavailable_everywhere((closes.shape[1],), why)
        return _column(nothing, (~np.isnan(closes[-1])).astype(np.int64), -1)
    reach = 0 if horizon == "1d" else BASE_WITHIN_SESSIONS
    near = closes[max(base_row - reach, 0) : base_row + 1]
    age = np.argmax(~np.isnan(near[::-1]), axis=0)
    base = near[len(near) - 1 - age, np.arange(closes.shape[1])]
    unavailable = no_reasons(base.shape)
    begun = (~np.isnan(closes[: base_row + 1])).any(axis=0)
    unavailable[np.isnan(base)] = Unavailable(
        Reason.MISSING_DATA, f"no close at {days[base_row]}" + (f" or {reach} sessions before" if reach else "")
    )
    unavailable[~begun] = Unavailable(Reason.INSUFFICIENT_HISTORY, f"no close on or before {days[base_row]}")
    n_closes = (~np.isnan(np.stack([base, closes[-1]]))).sum(axis=0)
    with np.errstate(over="ignore"):
        return _column(Quantities(closes[-1] / base - 1.0, unavailable), n_closes, base_row - age)


def _volatility(returns: FloatArray, window: int, *, begun: BoolArray) -> MeasuredPrices:
    """Return the volatility over the last returns, (n_symbols, 1), of (n_symbols, n_returns).

    `begun` (n_symbols,) tells whose prices reach back to the close before the window.
    """
    used = returns[:, -window:]
    counts = (~np.isnan(used)).sum(axis=1)
    needed = ceil(WINDOW_MIN_SHARE * window)
    unavailable = no_reasons(counts.shape)
    for n in np.unique(counts[counts < window]).tolist():
        young = Unavailable(Reason.INSUFFICIENT_HISTORY, f"{n} of {window} sessions")
        unavailable[(counts == n) & ~begun] = young
        if n < needed:
            detail = f"{window - n} of {window} returns are missing, {needed} have to be there"
            unavailable[(counts == n) & begun] = Unavailable(Reason.MISSING_DATA, detail)
    gappy = is_available(unavailable) & (counts < window)
    with np.errstate(over="ignore", invalid="ignore"):
        volatility = annualised_deviation(used)
        volatility[gappy] = deviation_of_present(used[gappy])
    return _column(Quantities(volatility, unavailable), counts, returns.shape[1] - window + 1)


def _column(measured: Quantities, n_observations: IntArray, first_row: IntArray | int) -> MeasuredPrices:
    """Return one measure, (n_symbols, 1), of (n_symbols,); what overflowed has that reason."""
    overflowed = measured.available & ~np.isfinite(measured.values)
    told = measured.withheld(reason_where(overflowed, OUT_OF_RANGE))
    rows = np.broadcast_to(np.asarray(first_row, dtype=np.int64), told.values.shape)
    return MeasuredPrices(told.values[:, None], told.unavailable[:, None], n_observations[:, None], rows[:, None])


def _first_reason(first: ReasonArray, column: MeasuredPrices) -> MeasuredPrices:
    """Let the reasons of `first` precede those of the column, and hold NaN and no row exactly where there is one."""
    told = column.withheld(first[:, None])
    first_row = np.where(told.available, column.first_row, -1)
    return MeasuredPrices(told.values, told.unavailable, column.n_observations, first_row)
