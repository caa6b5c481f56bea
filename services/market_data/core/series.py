"""The delivered bars of one symbol, as they are judged: against the bar before, event by event."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray

HALT_SESSIONS: Final = 5  # without a bar: what a price was before says nothing about the next one


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Bars of one symbol, one entry a bar, oldest first.

    Parameters
    ----------
    ordinal : ndarray of int64
        Position of each session in the calendar, strictly ascending.
    close, adjusted, split, dividend : ndarray, same shape
        `adjusted` NaN where its source gives none; a dividend is per share after the split of its session.
    """

    ordinal: IntArray
    close: FloatArray
    adjusted: FloatArray
    split: FloatArray
    dividend: FloatArray

    def take(self, rows: IntArray) -> "Series":
        """Return these bars."""
        prices = (self.close, self.adjusted, self.split, self.dividend)
        return Series(self.ordinal[rows], *(values[rows] for values in prices))

    def after_a_halt(self, row: int) -> bool:
        """Tell whether there was no bar for so long before this one."""
        return row > 0 and int(self.ordinal[row] - self.ordinal[row - 1]) > HALT_SESSIONS

    def within(self, row: int, before: int, factor: float) -> bool:
        """Tell whether close and adjusted close are within a factor of what an earlier bar lets expect.

        Of the close that is the earlier one less the dividends, over the splits since; where dividends take all of it,
        nothing is expected. Of the adjusted close it is the earlier one.
        """
        expected = float(self.close[before])
        for later in range(before + 1, row + 1):
            expected = expected / float(self.split[later]) - float(self.dividend[later])
            if expected <= 0.0:
                return True
        return not (
            far(float(self.close[row]), expected, factor)
            or far(float(self.adjusted[row]), float(self.adjusted[before]), factor)
        )


def far(value: float, expected: float, factor: float) -> bool:
    """Tell whether a number is more than a factor away from another one; NaN is not."""
    return value > expected * factor or expected > value * factor


def far_apart(values: FloatArray, expected: FloatArray, factor: float) -> BoolArray:
    """Tell for arrays what `far` tells for numbers."""
    return np.asarray((values > expected * factor) | (expected > values * factor))
