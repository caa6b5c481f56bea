"""Returns of price series and how much they vary: one definition for every service."""

import numpy as np

from shared.arrays import FloatArray, IntArray
from shared.conventions import SESSIONS_PER_YEAR


def simple_returns(prices: FloatArray) -> FloatArray:
    """Return r(t) = P(t) / P(t-1) - 1 over consecutive sessions.

    Parameters
    ----------
    prices : ndarray of shape (n_sessions, n_symbols)
        Prices on consecutive sessions, oldest first, positive; NaN where there is none.

    Returns
    -------
    ndarray of shape (n_sessions - 1, n_symbols)

    Notes
    -----
    NaN policy: propagated. A return with a missing end is missing; gaps are never bridged (methodology, 2).

    Examples
    --------
    >>> simple_returns(np.array([[100.0], [110.0], [99.0]])).round(4).tolist()
    [[0.1], [-0.1]]
    """
    returns: FloatArray = prices[1:] / prices[:-1] - 1.0
    return returns


def annualised_deviation(returns: FloatArray) -> FloatArray:
    """Return the sample standard deviation of returns along the last axis, a year's.

    Parameters
    ----------
    returns : ndarray of shape (..., n_sessions)
        At least two sessions. Where bits matter, each row in one piece: NumPy sums any other in an order that depends
        on its neighbours (ADR 5).

    Returns
    -------
    ndarray of shape (...)
        Fractions; 0 for returns that do not vary.

    Notes
    -----
    NaN policy: propagated. A row that lacks a return has no deviation; `deviation_of_present` leaves it out.

    Examples
    --------
    >>> annualised_deviation(np.array([[0.01, -0.01]])).round(4).tolist()
    [0.2245]
    """
    n_sessions = returns.shape[-1]
    deviations = returns - returns.sum(axis=-1, keepdims=True) / n_sessions
    variance = (deviations * deviations).sum(axis=-1) / (n_sessions - 1)
    annualised: FloatArray = np.sqrt(variance * SESSIONS_PER_YEAR)
    return annualised


def deviation_of_present(returns: FloatArray) -> FloatArray:
    """Return the sample standard deviation of the returns that each row has, a year's.

    Parameters
    ----------
    returns : ndarray of shape (n_rows, n_sessions)
        NaN where missing: left out and not counted.

    Returns
    -------
    ndarray of shape (n_rows,)
        Fractions; NaN with fewer than two returns.

    Examples
    --------
    >>> deviation_of_present(np.array([[0.01, np.nan, -0.01]])).round(4).tolist()
    [0.2245]
    """
    variance, count = variance_of_present(returns)
    annualised: FloatArray = np.where(count > 1, np.sqrt(variance * SESSIONS_PER_YEAR), np.nan)
    return annualised


def variance_of_present(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the sample variance of the values that each row has, and their number.

    Parameters
    ----------
    values : ndarray of shape (k, n_sessions)
        NaN where missing: left out and not counted.

    Returns
    -------
    variance : ndarray of shape (k,)
        Zero with fewer than two values.
    count : ndarray of int64, shape (k,)
    """
    present = np.isfinite(values)
    count = present.sum(axis=1)
    mean = np.where(present, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    deviations = np.where(present, values - mean[:, None], 0.0)
    return (deviations * deviations).sum(axis=1) / np.maximum(count - 1, 1), count
