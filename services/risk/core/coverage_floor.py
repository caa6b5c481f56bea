"""Numbers that too little of a book is behind: withheld, with what the covered part alone says (methodology, 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from shared.arrays import BoolArray, FloatArray, ReasonArray
from shared.conventions import COVERAGE_FLOOR
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_NAMED: Final = 3


class FigureReason(StrEnum):
    """Why a number of a portfolio is withheld that its covered part has."""

    LOW_COVERAGE = "LOW_COVERAGE"


# What missing prices lead to.
_TAINTED: Final = frozenset({Reason.MISSING_DATA, FigureReason.LOW_COVERAGE})


@dataclass(frozen=True, slots=True)
class LowCoverage:
    """Stands where a number would that speaks for too small a part of the book."""

    reason: FigureReason
    detail: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of portfolios as they are told, of any shape.

    Parameters
    ----------
    values : ndarray
        NaN exactly where `unavailable` has an entry.
    unavailable : ndarray of object, same shape
        `Unavailable` or `LowCoverage` where there is no number, None elsewhere.
    of_covered : ndarray, same shape
        What the covered part alone says where a number is withheld for its coverage; NaN elsewhere.
    """

    values: FloatArray
    unavailable: ReasonArray
    of_covered: FloatArray

    def part(self, index: Any) -> "Figures":
        """Return the entries at an index of any kind that arrays have."""
        return Figures(self.values[index], self.unavailable[index], self.of_covered[index])

    def at(self, index: Any) -> float | Unavailable | LowCoverage:
        """Return one entry as a number or its reason."""
        why: Unavailable | LowCoverage | None = self.unavailable[index]
        return float(self.values[index]) if why is None else why


def told(
    values: Quantities,
    coverage: Quantities,
    covered: BoolArray,
    *,
    holdings: NetHoldings,
    symbols: Sequence[str],
    taints: Mapping[str, str] = MappingProxyType({}),
) -> Figures:
    """Withhold the numbers that speak for less than COVERAGE_FLOOR of the gross exposure.

    Parameters
    ----------
    values, coverage : Quantities of shape (n_portfolios, n_columns)
        Numbers, and the part of the gross exposure that each speaks for.
    covered : ndarray of bool, shape (n_holdings, n_columns)
        Which holdings are in that part.
    holdings : NetHoldings
    symbols : sequence of str
        The names that `holdings` points into.
    taints : mapping of symbol to str
        What is held of the symbol's prices.

    Returns
    -------
    Figures
        `LOW_COVERAGE` with the coverage and the largest holdings that are not in it. A reason that a number has already
        stays. Either names what is held of the prices of those that are not covered.
    """
    low = values.available & (np.nan_to_num(coverage.values, nan=1.0) < COVERAGE_FLOOR)
    reasons = values.unavailable.copy()
    for portfolio, column in np.argwhere(low).tolist():
        lacking = _largest_uncovered(portfolio, covered[:, column], holdings, symbols)
        reasons[portfolio, column] = _why(float(coverage.values[portfolio, column]), lacking)
    for portfolio, column in np.argwhere(~is_available(reasons)).tolist() if taints else ():
        why = reasons[portfolio, column]
        if why.reason in _TAINTED:
            lacking = _largest_uncovered(portfolio, covered[:, column], holdings, symbols)
            named = [taints[name] for _, name in lacking if name in taints][:_NAMED]
            reasons[portfolio, column] = (
                replace(why, detail=f"{why.detail}; tainted by {', '.join(named)}") if named else why
            )
    kept = is_available(reasons)
    return Figures(np.where(kept, values.values, np.nan), reasons, np.where(low, values.values, np.nan))


def _largest_uncovered(
    portfolio: int, covered: BoolArray, holdings: NetHoldings, symbols: Sequence[str]
) -> list[tuple[float, str]]:
    """Return the share of gross exposure and the name of every holding that is not covered, the largest first."""
    mine = np.arange(*np.searchsorted(holdings.portfolio, (portfolio, portfolio + 1)))
    total = int(holdings.gross[mine].sum())
    lacking = mine[~covered[mine]]
    # The holdings of a portfolio are in the order of their names, and the sort keeps that of equals.
    order = lacking[np.argsort(-holdings.gross[lacking], kind="stable")]
    return [(int(holdings.gross[row]) / total, symbols[holdings.symbol[row]]) for row in order]


def _why(share: float, lacking: Sequence[tuple[float, str]]) -> LowCoverage:
    names = ", ".join(f"{name} ({part:.1%})" for part, name in lacking[:_NAMED])
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    detail = f"{share:.1%} of gross exposure is covered, at least {COVERAGE_FLOOR:.0%} has to be; without {names}{more}"
    return LowCoverage(FigureReason.LOW_COVERAGE, detail)
