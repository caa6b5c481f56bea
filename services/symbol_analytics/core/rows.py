"""The sessions an estimate uses, and moments over them.

Every reduction runs along the contiguous axis of one symbol, so its bits are the same whatever the rest of the batch:
a matrix product over the batch would pick its kernel, and with it the rounding, by the size of the batch.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.unavailable import Reason, Unavailable, is_available, no_reasons

# Returns are prices over prices less one, so a constant return carries rounding noise of about 1e-16.
CONSTANT_WITHIN: Final = 1e-10
OUT_OF_RANGE: Final = Unavailable(Reason.DEGENERATE_INPUT, "beyond the range of a float")


@dataclass(frozen=True, slots=True)
class RowsUsed:
    """Which sessions enter the estimate of each symbol.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_symbols, n_sessions)
    n_observations : ndarray of int64, shape (n_symbols,)
        Counted, never assumed.
    n_lived : ndarray of int64, shape (n_symbols,)
        Sessions since the symbol and all regressors have begun, those without a return included.
    first, last : ndarray of int64, shape (n_symbols,)
        Columns of the first and the last session used, -1 if none is.
    """

    mask: BoolArray
    n_observations: IntArray
    n_lived: IntArray
    first: IntArray
    last: IntArray


@dataclass(frozen=True, slots=True)
class Deviations:
    """Deviations from the mean over the rows used.

    Parameters
    ----------
    mean : ndarray of shape (n_symbols,)
    values : ndarray of shape (n_symbols, n_sessions)
        Zero in the rows that are not used.
    sum_squares : ndarray of shape (n_symbols,)
    varies : ndarray of bool, shape (n_symbols,)
        False where the rows used are constant up to rounding.
    """

    mean: FloatArray
    values: FloatArray
    sum_squares: FloatArray
    varies: BoolArray


def checked_returns(returns: FloatArray, *, n_sessions: int | None = None) -> FloatArray:
    """Return the rows as contiguous float64 after checking their shape and that none is infinite.

    Raises
    ------
    ValueError
        If `returns` is not two-dimensional, has no or another number of sessions, or holds an infinity.
    """
    rows = np.ascontiguousarray(returns, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"returns must have one row per series and at least one session, was of shape {rows.shape}")
    if n_sessions is not None and rows.shape[1] != n_sessions:
        raise ValueError(f"returns must have {n_sessions} sessions, was {rows.shape[1]}")
    if np.isinf(rows).any():
        raise ValueError(f"returns must be finite or missing, was infinite {int(np.isinf(rows).sum())} times")
    return rows


def rows_used(returns: FloatArray, regressors: FloatArray, *, begun: BoolArray | None = None) -> RowsUsed:
    """Return the sessions on which a symbol and all the regressors have a return.

    Parameters
    ----------
    returns : ndarray of shape (n_symbols, n_sessions)
    regressors : ndarray of shape (n_regressors, n_sessions)
    begun : ndarray of bool, shape (n_symbols,), optional
        Which symbols are known to have returns from before these sessions.
    """
    mask = ~np.isnan(returns) & ~np.isnan(regressors).any(axis=0)  # (n_symbols, n_sessions)
    n_observations = mask.sum(axis=1, dtype=np.int64)
    none_used = n_observations == 0
    first = np.where(none_used, -1, mask.argmax(axis=1)).astype(np.int64)
    last = np.where(none_used, -1, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)).astype(np.int64)
    own_first = _first_return(returns) if begun is None else np.where(begun, 0, _first_return(returns))
    n_lived = mask.shape[1] - np.maximum(own_first, _first_return(regressors).max(initial=0))
    return RowsUsed(mask, n_observations, n_lived, first, last)


def _first_return(returns: FloatArray) -> IntArray:
    """Return the column of the first return of each row, the number of columns where there is none."""
    present = ~np.isnan(returns)
    columns: IntArray = np.where(present.any(axis=1), present.argmax(axis=1), present.shape[1]).astype(np.int64)
    return columns


def deviations(values: FloatArray, mask: BoolArray) -> Deviations:
    """Return deviations from the mean over the rows in `mask`.

    Parameters
    ----------
    values : ndarray of shape (n_symbols, n_sessions) or (n_sessions,)
    mask : ndarray of bool, shape (n_symbols, n_sessions)

    Notes
    -----
    Two passes, so that a mean far from zero costs no digits. NaN policy: allowed outside the mask only.
    """
    n_observations = np.maximum(mask.sum(axis=-1), 1)
    filled = np.where(mask, values, 0.0)  # (n_symbols, n_sessions)
    mean = filled.sum(axis=-1) / n_observations
    deviation = np.where(mask, filled - mean[:, None], 0.0)
    sum_squares = (deviation * deviation).sum(axis=-1)
    varies = np.sqrt(sum_squares / n_observations) > CONSTANT_WITHIN * np.abs(filled).max(axis=-1)
    return Deviations(mean, deviation, sum_squares, varies)


def refuse_overflow(unavailable: ReasonArray, *numbers: FloatArray) -> BoolArray:
    """Give the symbols of which a number is not finite that reason, in place; return where there is still none.

    Parameters
    ----------
    unavailable : ndarray of object, shape (n_symbols,)
    *numbers : ndarray of shape (n_symbols,)
    """
    overflowed = ~np.isfinite(np.stack(numbers)).all(axis=0)
    unavailable[is_available(unavailable) & overflowed] = OUT_OF_RANGE
    return is_available(unavailable)


def why_unavailable(
    n_observations: IntArray,
    n_lived: IntArray,
    *,
    min_observations: int,
    symbol_varies: BoolArray,
    regressors_vary: BoolArray,
) -> ReasonArray:
    """Return for each symbol why its rows support no estimate, None where they do.

    Parameters
    ----------
    n_observations, n_lived : ndarray of int64, shape (n_symbols,)
        Of the rows used.
    min_observations : int
    symbol_varies, regressors_vary : ndarray of bool, shape (n_symbols,)

    Returns
    -------
    ndarray of object, shape (n_symbols,)
        Too few rows of young series are `INSUFFICIENT_HISTORY`, of series with holes `MISSING_DATA`; what does not vary
        is `DEGENERATE_INPUT`.
    """
    unavailable = no_reasons(n_observations.shape)
    for varies, subject in ((regressors_vary, "a regressor does"), (symbol_varies, "the symbol's returns do")):
        for n in np.unique(n_observations[~varies]).tolist():
            why = Unavailable(Reason.DEGENERATE_INPUT, f"{subject} not vary over {n} sessions")
            unavailable[~varies & (n_observations == n)] = why
    for n in np.unique(n_observations[n_observations < min_observations]).tolist():
        why = Unavailable(Reason.INSUFFICIENT_HISTORY, f"{n} of {min_observations} sessions")
        unavailable[n_observations == n] = why
        for lived in np.unique(n_lived[(n_observations == n) & (n_lived >= min_observations)]).tolist():
            detail = f"{n} of {min_observations} sessions: {lived - n} of the last {lived} have no return"
            unavailable[(n_observations == n) & (n_lived == lived)] = Unavailable(Reason.MISSING_DATA, detail)
    return unavailable
