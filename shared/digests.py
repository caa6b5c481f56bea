"""The form in which numbers are hashed."""

import numpy as np

from shared.arrays import FloatArray


def canonical(numbers: FloatArray) -> FloatArray:
    """Return the numbers in one piece, with one bit pattern for every NaN and one for both zeros."""
    return np.ascontiguousarray(np.where(np.isnan(numbers), np.nan, numbers + 0.0))
