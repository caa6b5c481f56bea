"""How the holdings of each portfolio move together: average correlation, effective bets, clusters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import linkage

from services.risk.core.correlation import (
    CorrelationMatrix,
    above_diagonal,
    correlate,
    correlate_complete,
    standardised,
)
from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import EMPTY_BOOK, coverage_of
from shared.arrays import BoolArray, FloatArray, IntArray
from shared.conventions import CLUSTER_CORRELATION, CORRELATION_MIN_WEIGHT, CORRELATION_WINDOW, SESSIONS_PER_YEAR
from shared.returns import variance_of_present
from shared.unavailable import Quantities, Reason, Unavailable

NO_CLUSTER: Final = -1
_CUT: Final = float(np.sqrt((1.0 - CLUSTER_CORRELATION) / 2.0))
# Relative to the holdings' own variances: below, what the book has is rounding.
_NO_RISK: Final = 1e-12
TOO_FEW: Final = Unavailable(Reason.NOT_APPLICABLE, "fewer than two holdings have correlations with one another")
NO_RISK: Final = Unavailable(Reason.DEGENERATE_INPUT, "the holdings in the matrix have no risk together")
NO_WEIGHT: Final = Unavailable(Reason.DEGENERATE_INPUT, "the holdings in the matrix net to zero")


@dataclass(frozen=True, slots=True)
class Diversification:
    """The correlations of one portfolio.

    Parameters
    ----------
    rows : ndarray of int64, shape (k,)
        Rows of the books: those with CORRELATION_MIN_WEIGHT of gross exposure, by symbol name.
    matrix : CorrelationMatrix
    cluster : ndarray of int64, shape (k,)
        Which cluster each holding is in, NO_CLUSTER if none.
    cluster_names : tuple of str
        By the sector with the largest gross exposure in each.
    average, effective_bets : float or Unavailable
    """

    rows: IntArray
    matrix: CorrelationMatrix
    cluster: IntArray
    cluster_names: tuple[str, ...]
    average: float | Unavailable
    effective_bets: float | Unavailable


@dataclass(frozen=True, slots=True)
class Diversifications:
    """All portfolios: one record each, and the part of gross exposure that their complete matrices speak for.

    `covered` (n_holdings,) tells which holdings these are.
    """

    portfolios: tuple[Diversification, ...]
    coverage: Quantities
    covered: BoolArray

    def quantity(self, name: str) -> Quantities:
        """Return `average` or `effective_bets` of all portfolios."""
        found = [getattr(portfolio, name) for portfolio in self.portfolios]
        missing = [value if isinstance(value, Unavailable) else None for value in found]
        numbers = [np.nan if isinstance(value, Unavailable) else value for value in found]
        reasons = np.empty(len(found), dtype=object)
        reasons[:] = missing
        return Quantities(np.array(numbers, dtype=np.float64), reasons)


def diversify(holdings: NetHoldings, returns: FloatArray, sectors: Sequence[str]) -> Diversifications:
    """Return the correlations of every portfolio's larger holdings over the last CORRELATION_WINDOW sessions.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents.
    returns : ndarray of shape (n_symbols, n_sessions)
        Total returns, oldest first, at least CORRELATION_WINDOW; NaN where missing.
    sectors : sequence of str
        Sector of each symbol.

    Returns
    -------
    Diversifications
        `average`: correlation of the P&L of two holdings, so that a short one counts with its side, weighted by the
        product of absolute exposures, over the pairs that have one. `effective_bets`: exponential of the entropy of the
        shares that the principal components of the holdings' returns have in the variance of the book (Meucci 2009).
        Both are `NOT_APPLICABLE` for an empty book, the average also with fewer than two
        holdings, and `DEGENERATE_INPUT` where weights or risks vanish.

    Notes
    -----
    One matrix a portfolio, in the order of symbol names: its bits depend on no other portfolio.
    """
    window = np.ascontiguousarray(returns[:, -CORRELATION_WINDOW:])
    volatility, standard = _volatilities(window), standardised(np.where(np.isfinite(window), window, np.nan))
    total = holdings.totals(holdings.gross)
    large = holdings.gross >= CORRELATION_MIN_WEIGHT * total[holdings.portfolio]
    large &= holdings.gross > 0
    covered = np.zeros(holdings.portfolio.size, dtype=np.bool_)
    found = []
    for first, last in pairwise(holdings.bounds().tolist()):
        rows = first + np.flatnonzero(large[first:last])
        matrix = correlate_complete(standard[holdings.symbol[rows]]) or correlate(window[holdings.symbol[rows]])
        inside = rows[matrix.complete]
        covered[inside] = np.isfinite(volatility[holdings.symbol[inside]])
        cluster, names = _clusters(holdings, rows, matrix, sectors)
        found.append(
            Diversification(
                rows=rows,
                matrix=matrix,
                cluster=cluster,
                cluster_names=names,
                average=_average(holdings.net[rows] / 100.0, matrix.values),
                effective_bets=_effective_bets(holdings, inside, matrix, volatility),
            )
        )
    return Diversifications(tuple(found), coverage_of(holdings, covered), covered)


def _volatilities(returns: FloatArray) -> FloatArray:
    """Return the annualised sample standard deviation of each symbol; NaN with fewer than two returns."""
    variance, count = variance_of_present(returns)
    return np.where(count > 1, np.sqrt(variance * SESSIONS_PER_YEAR), np.nan)


def _average(exposures: FloatArray, correlations: FloatArray) -> float | Unavailable:
    if exposures.size == 0:
        return EMPTY_BOOK
    above = above_diagonal(exposures.size)
    pairs = (exposures[:, None] * exposures)[above]
    values = correlations[above]
    known = np.isfinite(values)
    if not known.any():
        return TOO_FEW
    total = float(np.abs(pairs[known]).sum())
    return float((pairs[known] * values[known]).sum()) / total if total > 0 else NO_WEIGHT


def _effective_bets(
    holdings: NetHoldings, rows: IntArray, matrix: CorrelationMatrix, volatility: FloatArray
) -> float | Unavailable:
    if rows.size == 0:
        return EMPTY_BOOK
    exposures, deviations = holdings.net[rows] / 100.0, volatility[holdings.symbol[rows]]
    # Relative to the largest: amounts and returns of any size have the same shares.
    largest = float(np.abs(exposures).max())
    loudest = float(deviations.max()) if np.isfinite(deviations).all() else 0.0
    if largest <= 0 or loudest <= 0:
        return NO_RISK
    scaled = deviations / loudest
    variances, components = np.linalg.eigh(matrix.complete_part * scaled * scaled[:, None])
    along = (components * (exposures / largest)[:, None]).sum(axis=0)
    shares = along * along * np.maximum(variances, 0.0)
    total = float(shares.sum())
    # A hedge leaves rounding.
    if total <= _NO_RISK * float(((scaled * exposures / largest) ** 2).sum()):
        return NO_RISK
    shares = shares[shares > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _clusters(
    holdings: NetHoldings, rows: IntArray, matrix: CorrelationMatrix, sectors: Sequence[str]
) -> tuple[IntArray, tuple[str, ...]]:
    cluster = np.full(rows.size, NO_CLUSTER, dtype=np.int64)
    if matrix.complete.size < 2:
        return cluster, ()
    above = matrix.complete_part[above_diagonal(matrix.complete.size)]
    distances = np.sqrt(np.maximum(1.0 - above, 0.0) / 2.0)
    names: list[str] = []
    for group in _groups(linkage(distances, "average"), matrix.complete.size):
        members = matrix.complete[group]
        cluster[members] = len(names)
        names.append(_distinct(_largest_sector(holdings, rows[members], sectors), names))
    return cluster, tuple(names)


def _groups(tree: FloatArray, size: int) -> list[list[int]]:
    """Return the groups of two or more that a linkage has joined below the cut, by their first member.

    What scipy's fcluster returns, without its checks of the tree, which take longer than the tree.
    """
    groups = {leaf: [leaf] for leaf in range(size)}
    for step, (left, right) in enumerate(tree[tree[:, 2] <= _CUT, :2].astype(int).tolist()):
        groups[size + step] = groups.pop(left) + groups.pop(right)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def _largest_sector(holdings: NetHoldings, rows: IntArray, sectors: Sequence[str]) -> str:
    gross: Counter[str] = Counter()
    for row in rows.tolist():
        gross[sectors[holdings.symbol[row]]] += int(holdings.gross[row])
    return min(gross, key=lambda sector: (-gross[sector], sector))


def _distinct(name: str, taken: Sequence[str]) -> str:
    same = sum(other == name or other.startswith(f"{name} ") for other in taken)
    return f"{name} {same + 1}" if same else name
