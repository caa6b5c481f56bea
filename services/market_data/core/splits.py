"""Split factors as they were meant."""

from fractions import Fraction
from typing import Final

import numpy as np

from shared.arrays import FloatArray

SMALL_DENOMINATOR: Final = 100
ROUNDING_TOLERANCE: Final = 1e-6  # relative


def unrounded(splits: FloatArray) -> FloatArray:
    """Return split factors with those that a vendor rounded replaced by the small fraction that they are next to.

    Vendors print one share for seven as 0.1428572, and seven hundred shares become 100.00004. A factor within
    `ROUNDING_TOLERANCE` of a fraction, or of its inverse for a factor below one, whose denominator is at most
    `SMALL_DENOMINATOR` is that fraction; another one is what it is, and so is one that is no positive number.
    """
    exact = splits.copy()
    for row in np.flatnonzero(np.isfinite(splits) & (splits > 0.0) & (splits != 1.0)).tolist():
        given = Fraction(float(splits[row]))
        whole = max(given, 1 / given).limit_denominator(SMALL_DENOMINATOR)
        near = whole if given > 1 else 1 / whole
        if abs(near - given) <= ROUNDING_TOLERANCE * near:
            exact[row] = float(near)
    return exact
