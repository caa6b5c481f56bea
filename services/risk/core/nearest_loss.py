"""The nearest move of the factors at which a book with options loses an amount (methodology, 9)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from services.risk.core.options import Options
from shared.arrays import FloatArray

_FURTHEST: Final = 100.0  # deviations of one session, where a search along a line begins at most
_TOLERANCE: Final = 1e-9  # of the loss


@dataclass(frozen=True, slots=True)
class CurvedBook:
    """A book whose P&L is not linear in the factors.

    `dollars` (n_factors,) are its exposures, options by their delta; `loadings` (n_options, n_factors) those of the
    underlyings of its `options`. In portfolio currency.
    """

    dollars: FloatArray
    loadings: FloatArray
    options: Options

    def pnl(self, moves: FloatArray) -> FloatArray:
        """Return the P&L of moves, (n_moves, n_factors) -> (n_moves,)."""
        returns = self.loadings @ moves.T
        total: FloatArray = moves @ self.dollars + self.options.convexity(returns).sum(axis=0)
        return total

    def slope(self, move: FloatArray) -> FloatArray:
        """Return the derivative of the P&L by the factors, (n_factors,)."""
        slopes = self.options.slopes((self.loadings @ move)[:, None])[:, 0]
        total: FloatArray = self.dollars + slopes @ self.loadings
        return total


def nearest_loss(book: CurvedBook, loss: float, covariance: FloatArray) -> FloatArray | None:
    """Return the move with the smallest distance of Mahalanobis that loses an amount.

    Parameters
    ----------
    book : CurvedBook
    loss : float
        In portfolio currency, positive.
    covariance : ndarray of shape (n_factors, n_factors)
        Of the factors.

    Returns
    -------
    ndarray of shape (n_factors,) or None
        None where no move that loses so much was found.

    Notes
    -----
    Sequential quadratic programming (Kraft 1988) on the factors made independent and of one deviation, from each side
    of the book's exposures and of its options' underlyings: a book that loses on both sides has a nearest move on each.
    """
    variances, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(variances, 0.0))

    def excess(scaled: FloatArray) -> float:
        return float(book.pnl((root @ scaled)[None])[0] / loss + 1.0)

    found: FloatArray | None = None
    for start in _starts(book, loss, root):
        result = minimize(
            lambda scaled: scaled @ scaled / 2.0,
            start,
            jac=lambda scaled: scaled,
            constraints={"type": "eq", "fun": excess, "jac": lambda scaled: root.T @ book.slope(root @ scaled) / loss},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 100},
        )
        if abs(excess(result.x)) < _TOLERANCE and (found is None or result.x @ result.x < found @ found):
            found = result.x
    return None if found is None else np.asarray(root @ found, dtype=np.float64)


def _starts(book: CurvedBook, loss: float, root: FloatArray) -> Iterator[FloatArray]:
    """Yield where to search from: where a line from nothing first loses the amount, or else its end."""
    shares = np.abs(book.options.units * book.options.terms.spot)
    for direction in (book.dollars, shares @ book.loadings):
        scaled = root.T @ direction
        length = float(np.sqrt(scaled @ scaled))
        if length == 0.0:
            continue
        for side in (-1.0, 1.0):
            along = side * scaled / length
            steps = np.linspace(0.0, _FURTHEST, 401)
            lost = np.flatnonzero(book.pnl(steps[:, None] * (root @ along)) <= -loss)
            yield along * (steps[lost[0]] if lost.size else _FURTHEST / 4.0)
