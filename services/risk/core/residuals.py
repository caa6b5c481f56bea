"""How what the factors leave of the holdings of one sector moves together (methodology, 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.risk.core.correlation import correlations, standardised
from services.risk.core.holdings import NetHoldings
from services.risk.core.sectors import NO_SECTORS
from shared.arrays import FloatArray, IntArray
from shared.conventions import SECTOR_MIN_PAIRS
from shared.factor_basis import FactorBasis


def residual_returns(returns: FloatArray, loadings: FloatArray, basis: FactorBasis) -> FloatArray:
    """Return what the factors leave of each symbol's returns, but for a constant.

    Parameters
    ----------
    returns : ndarray of shape (n_symbols, n_sessions)
        As many sessions as the window of the factors, or more; NaN where missing.
    loadings : ndarray of shape (n_symbols, n_factors)
        On the factors; NaN where there is none.
    basis : FactorBasis

    Returns
    -------
    ndarray of shape (n_symbols, n_rows)
        Over the sessions that have every factor; NaN where a return is missing or a symbol has no loadings.

    Notes
    -----
    One factor after another: a product of matrices would round differently with the size of the shard.
    """
    rows: FloatArray = np.ascontiguousarray(returns[:, -basis.rows.size :][:, basis.rows])
    residuals = rows.copy()
    for factor in np.flatnonzero(basis.configured):
        residuals -= loadings[:, factor, None] * basis.factors[factor, basis.rows]
    return residuals


@dataclass(frozen=True, slots=True)
class SectorCorrelations:
    """How the residuals of the holdings of one sector of one portfolio are correlated.

    `group` (n_holdings,) has the same number for those of one such sector, -1 for those of none with a correlation;
    `correlation` (n_groups,) is that of any two of a group.
    """

    group: IntArray
    correlation: FloatArray


def sector_correlations(holdings: NetHoldings, residuals: FloatArray, sectors: Sequence[str]) -> SectorCorrelations:
    """Return the average correlation of what the factors leave, by portfolio and sector.

    Parameters
    ----------
    holdings : NetHoldings
    residuals : ndarray of shape (n_symbols, n_rows)
        NaN where missing; a symbol without any is in no group.
    sectors : sequence of str
        Sector of each symbol; funds and what is unclassified are none.

    Returns
    -------
    SectorCorrelations
        Of sectors in which SECTOR_MIN_PAIRS pairs at least have a correlation: the average of these, and never below
        what so many series can have in common, ``-1 / (n - 1)``.

    Notes
    -----
    Of the portfolio's own holdings in the order of their names: its bits depend on no other portfolio.
    """
    there = np.asarray(np.isfinite(residuals).any(axis=1))
    standard = standardised(np.where(np.isfinite(residuals), residuals, np.nan))
    complete = np.asarray(np.isfinite(standard).all(axis=1))
    group, found = np.full(holdings.symbol.size, -1, dtype=np.int64), list[float]()
    for first, last in pairwise(holdings.bounds().tolist()):
        mine = first + np.flatnonzero(there[holdings.symbol[first:last]])
        names = np.array([sectors[symbol] for symbol in holdings.symbol[mine]], dtype=object)
        for sector in sorted(set(names) - NO_SECTORS):
            members = mine[names == sector]
            if members.size * (members.size - 1) // 2 < SECTOR_MIN_PAIRS:
                continue
            symbols = holdings.symbol[members]
            whole = complete[symbols].all()
            average = _of_complete(standard[symbols]) if whole else _of_pairs(residuals[symbols])
            if average is not None:
                group[members] = len(found)
                found.append(max(average, -1.0 / (members.size - 1)))
    return SectorCorrelations(group, np.array(found, dtype=np.float64))


def _of_complete(standard: FloatArray) -> float:
    """Return the average correlation of standardised series: how long their sum is tells it without the pairs."""
    whole, n = standard.sum(axis=0), len(standard)
    return min((float((whole * whole).sum()) - n) / (n * (n - 1)), 1.0)


def _of_pairs(residuals: FloatArray) -> float | None:
    """Return the average of the pairs that have a correlation, or None where these are too few."""
    pairs = correlations(residuals)[np.triu_indices(len(residuals), 1)]
    known = pairs[np.isfinite(pairs)]
    return None if known.size < SECTOR_MIN_PAIRS else float(known.sum()) / known.size
