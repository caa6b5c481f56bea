"""Moments of series in which values are missing."""

import numpy as np

from shared.arrays import FloatArray, IntArray


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
