"""Integer sums per portfolio: exact, so neither order nor neighbours can change them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np

from services.portfolio.core.cents import AmountOutOfRange
from shared.arrays import BoolArray, FloatArray, IntArray

_FITS: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Segments:
    """Which columns belong to which portfolio: `order` sorts them, `bounds` (n + 1) cuts them."""

    order: IntArray
    bounds: IntArray

    @classmethod
    def of(cls, portfolio: IntArray, n_portfolios: int) -> Self:
        """Group columns by the index of their portfolio."""
        order = np.argsort(portfolio, kind="stable")
        return cls(order, np.searchsorted(portfolio[order], np.arange(n_portfolios + 1)))

    def sums(self, amounts: IntArray | BoolArray) -> IntArray:
        """Return the sums per portfolio, (n_sessions, n_columns) -> (n_sessions, n_portfolios).

        Differences of running sums: unlike `np.add.reduceat` they are right for a portfolio without columns too. That
        a running sum may wrap around does no harm to a difference that fits.

        Raises
        ------
        AmountOutOfRange
            If a sum may not fit.
        """
        if int(np.abs(amounts).max(initial=0)) * amounts.shape[1] >= _FITS:
            self._check(np.abs(amounts[:, self.order].astype(np.float64)))
        running = np.zeros((amounts.shape[0], amounts.shape[1] + 1), dtype=np.int64)
        np.cumsum(amounts[:, self.order], axis=1, out=running[:, 1:], dtype=np.int64)
        totals: IntArray = running[:, self.bounds[1:]] - running[:, self.bounds[:-1]]
        return totals

    def largest(self, numbers: IntArray) -> IntArray:
        """Return the largest number per portfolio, none of them negative; 0 for one without columns."""
        largest = np.zeros((numbers.shape[0], self.bounds.size - 1), dtype=np.int64)
        filled = np.flatnonzero(self.bounds[1:] > self.bounds[:-1])
        if filled.size:
            largest[:, filled] = np.maximum.reduceat(numbers[:, self.order], self.bounds[filled], axis=1)
        return largest

    def _check(self, sizes: FloatArray) -> None:
        for first, last in pairwise(self.bounds.tolist()):
            largest = float(sizes[:, first:last].sum(axis=1).max(initial=0.0))
            if largest >= _FITS:
                raise AmountOutOfRange(f"sums must be below {_FITS:.0e} cents, was {largest:.3e}")
