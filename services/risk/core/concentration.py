"""How few names carry a book."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import EMPTY_BOOK, divide, quantities
from shared.arrays import FloatArray, IntArray
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

# Herfindahl-Hirschman scale: 10 000 is a single name.
HHI_SCALE: Final = 10_000.0

NETTED_TO_ZERO: Final = Unavailable(Reason.DEGENERATE_INPUT, "the positions of every symbol net to zero")


@dataclass(frozen=True, slots=True)
class Concentration:
    """Per portfolio, shape (n_portfolios,): `hhi` 0-10 000, `effective_positions` a count, the tops fractions."""

    hhi: Quantities
    effective_positions: Quantities
    top_3: Quantities
    top_10: Quantities


def concentration(holdings: NetHoldings) -> Concentration:
    """Return concentration over the absolute net exposure by symbol.

    Weights are |signed exposure of all positions in a symbol| over their sum: two lots are one name, and a long and a
    short lot of one name offset. Independent of equity.

    Returns
    -------
    Concentration
        `NOT_APPLICABLE` for an empty book, `DEGENERATE_INPUT` when every symbol nets to zero.
    """
    sizes = np.abs(holdings.net)
    totals = holdings.totals(sizes)
    reasons = no_reasons(holdings.n_portfolios)
    reasons[totals == 0] = NETTED_TO_ZERO
    reasons[holdings.totals(holdings.gross) == 0] = EMPTY_BOOK
    weights = divide(sizes.astype(np.float64), totals[holdings.portfolio].astype(np.float64))
    hhi = HHI_SCALE * holdings.sums(np.where(np.isnan(weights), 0.0, weights) ** 2)
    return Concentration(
        hhi=quantities(hhi, reasons),
        effective_positions=quantities(divide(np.full(hhi.shape, HHI_SCALE), hhi), reasons),
        top_3=quantities(_top(holdings, sizes, totals=totals, names=3), reasons),
        top_10=quantities(_top(holdings, sizes, totals=totals, names=10), reasons),
    )


def _top(holdings: NetHoldings, sizes: IntArray, *, totals: IntArray, names: int) -> FloatArray:
    """Return the share of the largest names; sums of integers, so ties cannot matter."""
    descending = np.lexsort((-sizes, holdings.portfolio))
    portfolio = holdings.portfolio[descending]
    place = np.arange(portfolio.size) - np.searchsorted(portfolio, portfolio)
    largest = np.where(place < names, sizes[descending], 0)
    top = np.zeros(holdings.n_portfolios, dtype=np.int64)
    np.add.at(top, portfolio, largest)
    return divide(top.astype(np.float64), totals.astype(np.float64))
