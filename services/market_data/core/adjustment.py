"""Total-return adjusted closes, and whether an adjustment history has changed."""

from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray

# Vendors repeat the same adjusted close within a few parts in a million; a one-cent dividend on a 500 dollar share
# moves the history by 2e-5.
ADJUSTMENT_TOLERANCE: Final = 1e-5


def total_return_adjusted(close: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Return closes adjusted backward for splits and cash dividends.

    The last bar of each symbol keeps its close; the closes before session `t` are multiplied by
    ``(1 / split(t)) * (1 - dividend(t) * split(t) / close(prev))``, where `prev` is the symbol's bar before `t` and the
    dividend is per share of session `t`, that is after the split. A dividend that is not below the previous close buys
    shares at the close of its session instead: ``close(t) / (close(t) + dividend(t))``. Without events the result is
    the close itself.

    Parameters
    ----------
    close : ndarray of shape (n_sessions, n_symbols)
        As-traded closes, oldest first, NaN = no bar.
    split, dividend : ndarray, same shape
        1.0 and 0.0 = none. Events must lie on sessions with a bar.

    Returns
    -------
    ndarray of shape (n_sessions, n_symbols)
        NaN where there is no bar.

    Examples
    --------
    >>> total_return_adjusted(np.array([[100.0], [49.0]]), np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]]))
    array([[49.],
           [49.]])
    """
    previous = previous_bar(close)
    kept = 1.0 - dividend * split / previous
    kept = np.where(kept > 0.0, kept, close / (close + dividend))
    factor = np.where(np.isnan(previous) | np.isnan(close), 1.0, kept / split)
    after = np.ones_like(close)
    after[:-1] = np.cumprod(factor[:0:-1], axis=0)[::-1]
    adjusted = close * after
    return np.where(np.isfinite(adjusted) & (adjusted > 0.0), adjusted, np.nan)


def adjustment_changed(stored: FloatArray, fetched: FloatArray) -> BoolArray:
    """Tell for which symbols the adjusted closes of already stored sessions are no longer those that are stored.

    A new split or dividend rescales every adjusted close before it, so one common session before the event shows it.
    Compared relative to the level, with `ADJUSTMENT_TOLERANCE` for the rounding of the source.

    Parameters
    ----------
    stored, fetched : ndarray of shape (n_sessions, n_symbols)
        Adjusted closes of the same sessions and symbols; NaN = none, not compared.

    Returns
    -------
    ndarray of bool, shape (n_symbols,)
        True: the symbol's whole history has to be fetched again.
    """
    difference = np.abs(fetched - stored)
    return np.asarray(np.any(difference > ADJUSTMENT_TOLERANCE * np.abs(stored), axis=0))


def previous_bar(values: FloatArray) -> FloatArray:
    """Return what the last bar strictly before each session has, NaN where there is none."""
    sessions = np.arange(len(values))[:, None]
    last_bar = np.maximum.accumulate(np.where(np.isnan(values), -1, sessions), axis=0)
    previous = np.full_like(values, np.nan)
    carried = np.take_along_axis(values, np.maximum(last_bar, 0), axis=0)
    previous[1:] = carried[:-1]
    return previous
