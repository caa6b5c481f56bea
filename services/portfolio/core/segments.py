"""Integer sums per portfolio: exact, so neither order nor neighbours can change them."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shared.unavailable import BoolArray, IntArray


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

        Differences of running sums: unlike `np.add.reduceat` they are right for a portfolio without columns too.
        """
        running = np.zeros((amounts.shape[0], amounts.shape[1] + 1), dtype=np.int64)
        np.cumsum(amounts[:, self.order], axis=1, out=running[:, 1:], dtype=np.int64)
        totals: IntArray = running[:, self.bounds[1:]] - running[:, self.bounds[:-1]]
        return totals
