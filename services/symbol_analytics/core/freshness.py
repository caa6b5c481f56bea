"""How old a symbol's last price is, and the reason when it is too old to date a result by."""

from datetime import date

import numpy as np

from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.conventions import STALE_AFTER_SESSIONS
from shared.unavailable import Reason, Unavailable, is_available, no_reasons


def checked_closes(closes: FloatArray) -> FloatArray:
    """Return the closes as float64 after checking that they are a matrix of positive numbers or NaN.

    Raises
    ------
    ValueError
        If `closes` is not two-dimensional, has no session, or holds an infinity or a price that is not positive.
    """
    prices = np.asarray(closes, dtype=np.float64)
    if prices.ndim != 2 or prices.shape[0] == 0:
        raise ValueError(f"closes must have the shape (n_sessions, n_symbols), was {prices.shape}")
    wrong = np.isinf(prices) | (prices <= 0.0)
    if wrong.any():
        raise ValueError(f"closes must be positive and finite or missing, was {prices[wrong][0]}")
    return prices


def sessions_since_last_close(closes: FloatArray) -> IntArray:
    """Return the age in sessions of each symbol's last close, -1 if it has none.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Oldest first; the last row is the session of interest.

    Returns
    -------
    ndarray of int64, shape (n_symbols,)

    Examples
    --------
    >>> sessions_since_last_close(np.array([[1.0, 1.0, np.nan], [1.0, np.nan, np.nan]])).tolist()
    [0, 1, -1]
    """
    present = ~np.isnan(closes)
    age = present[::-1].argmax(axis=0)
    return np.where(present.any(axis=0), age, -1).astype(np.int64)


def why_not_current(closes: FloatArray, *, stale_after: int) -> ReasonArray:
    """Return for each symbol why its prices cannot date a result at the last session, None where they can.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Oldest first; the last row is the session of interest.
    stale_after : int
        A last close more sessions old than this is stale; exactly this old is not.

    Returns
    -------
    ndarray of object, shape (n_symbols,)
        `MISSING_DATA` without any close, `STALE_INPUT` with an old one, else None.
    """
    age = sessions_since_last_close(closes)
    unavailable = no_reasons(age.shape)
    unavailable[age == -1] = Unavailable(Reason.MISSING_DATA, f"no price in {len(closes)} sessions")
    for sessions in np.unique(age[age > stale_after]).tolist():
        detail = f"last price is {sessions} sessions old, limit {stale_after}"
        unavailable[age == sessions] = Unavailable(Reason.STALE_INPUT, detail)
    return unavailable


def why_no_close(closes: FloatArray, as_of: date) -> ReasonArray:
    """Return for each symbol why it has no close at the last session, which is `as_of`, None where it has one.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Oldest first.
    as_of : date

    Returns
    -------
    ndarray of object, shape (n_symbols,)
        As of `why_not_current` with the limit STALE_AFTER_SESSIONS, and `MISSING_DATA` with a recent close.
    """
    reasons = why_not_current(closes, stale_after=STALE_AFTER_SESSIONS)
    recent = np.isnan(closes[-1]) & is_available(reasons)
    reasons[recent] = Unavailable(Reason.MISSING_DATA, f"no close at {as_of}")
    return reasons
