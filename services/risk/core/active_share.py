"""How much of a book is not what an index is made of (methodology, 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import coverage_of, quantities, why_not_over_equity
from shared.arrays import BoolArray, FloatArray
from shared.sectors import ETFS
from shared.unavailable import Quantities, Reason, Unavailable, is_available

NO_CONSTITUENTS: Final = Unavailable(Reason.NOT_APPLICABLE, "no constituents of an index are loaded")


@dataclass(frozen=True, slots=True)
class Constituents:
    """The weights of an index by symbol as of a day, as they were loaded: they add up to about one."""

    name: str
    as_of: date
    weights: Mapping[str, float]

    def of(self, symbols: Sequence[str]) -> FloatArray:
        """Return the weights of symbols, (n_symbols,), those of the whole index adding up to one; 0 beside it."""
        found = np.array([self.weights.get(symbol, 0.0) for symbol in symbols], dtype=np.float64)
        return found / sum(self.weights[symbol] for symbol in sorted(self.weights))


@dataclass(frozen=True, slots=True)
class ActiveShare:
    """Per portfolio, (n_portfolios,), and `covered`, (n_holdings,): what is no fund."""

    share: Quantities
    coverage: Quantities
    covered: BoolArray


def active_share(holdings: NetHoldings, sectors: Sequence[str], index: FloatArray | None) -> ActiveShare:
    """Return half of all differences between the weights of a book and those of an index, cash among them.

    Parameters
    ----------
    holdings : NetHoldings
        Of all portfolios.
    sectors : sequence of str
        One a symbol; what a fund holds nobody says, so that it is not covered.
    index : ndarray of shape (n_symbols,) or None
        Weights of the symbols in the index; None: none is loaded.

    Returns
    -------
    ActiveShare
        0 for the index itself, 1 for a book without debts that holds nothing of it, more with leverage or short
        positions. `NOT_APPLICABLE` without an index or of an empty book, `DEGENERATE_INPUT` without equity.

    Notes
    -----
    Cremers and Petajisto (2009). Weights are net exposure over equity; what they leave of one is cash, of which the
    index has none.
    """
    covered = np.array([sector != ETFS for sector in sectors], dtype=np.bool_)[holdings.symbol]
    coverage = coverage_of(holdings, covered)
    reasons = why_not_over_equity(holdings)
    if index is None:
        reasons[is_available(reasons)] = NO_CONSTITUENTS
        return ActiveShare(quantities(np.full(reasons.shape, np.nan), reasons), coverage, covered)
    weights, theirs = np.nan_to_num(holdings.weights()), index[holdings.symbol]
    not_held = 1.0 - holdings.sums(theirs)
    cash = 1.0 - holdings.sums(weights)
    share = (holdings.sums(np.abs(weights - theirs)) + np.maximum(not_held, 0.0) + np.abs(cash)) / 2.0
    return ActiveShare(quantities(share, reasons), coverage, covered)
