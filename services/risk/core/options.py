"""Options among the positions of books, and what revaluing them adds to their deltas (methodology, 9 and 10)."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray
from shared.black_scholes import Terms, black_scholes, greeks


@dataclass(frozen=True, slots=True)
class Options:
    """Options that can be revalued, arrays of shape (n_options,).

    `place` is the position, or the holding, that the `exposure` (delta's, in portfolio currency) is part of. `units`
    are signed: contracts times shares a contract. `volatility` is the one behind the delta.
    """

    place: IntArray
    units: FloatArray
    exposure: FloatArray
    terms: Terms
    volatility: FloatArray

    @classmethod
    def none(cls) -> Self:
        """Return no options."""
        nothing = np.zeros(0)
        terms = Terms(nothing, nothing, nothing, nothing, nothing, nothing.astype(np.bool_))
        return cls(nothing.astype(np.int64), nothing, nothing, terms, nothing)

    @property
    def table(self) -> FloatArray:
        """Return all that is known of each but its place, (n_options, n_columns)."""
        terms = self.terms
        known = (self.units, self.exposure, self.volatility, terms.spot, terms.strike, terms.years)
        return np.column_stack([*known, terms.dividend_yield, terms.rate, terms.is_call])

    def part(self, index: BoolArray | IntArray) -> "Options":
        """Return some of them."""
        parts = (self.place[index], self.units[index], self.exposure[index], self.terms.part(index))
        return Options(*parts, self.volatility[index])

    def placed(self, rows: IntArray) -> "Options":
        """Return them at the rows that their places have there, in an order that their terms alone decide."""
        moved = replace(self, place=rows[self.place])
        return moved.part(np.lexsort((*self.table.T, moved.place)))

    def convexity(self, returns: FloatArray, *, volatility: float = 1.0) -> FloatArray:
        """Return the change of worth at once less that of the delta's shares, in portfolio currency.

        Parameters
        ----------
        returns : ndarray of shape (n_options, n_moves)
            Of the underlyings, which fall by their whole worth at most; NaN is propagated.
        volatility : float
            What the volatility is multiplied by.

        Returns
        -------
        ndarray of shape (n_options, n_moves)
        """
        then = black_scholes(self._moved(returns), self.volatility[:, None] * volatility)
        change: FloatArray = self.units[:, None] * (then - black_scholes(self.terms, self.volatility)[:, None])
        return change - self.exposure[:, None] * returns

    def slopes(self, returns: FloatArray) -> FloatArray:
        """Return the derivatives of `convexity` by the returns; same shapes."""
        moved = self._moved(returns)
        change = greeks(moved, np.broadcast_to(self.volatility[:, None], returns.shape)).delta
        worth: FloatArray = np.where(moved.spot > 0.0, self.units[:, None] * change * self.terms.spot[:, None], 0.0)
        return worth - self.exposure[:, None]

    def _moved(self, returns: FloatArray) -> Terms:
        names = ("strike", "years", "dividend_yield", "rate", "is_call")
        spot = self.terms.spot[:, None] * np.maximum(1.0 + returns, 0.0)
        return Terms(spot, *(np.broadcast_to(getattr(self.terms, name)[:, None], spot.shape) for name in names))
