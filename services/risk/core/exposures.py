"""Factor exposures of portfolios from the betas of their holdings."""

from dataclasses import dataclass

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import coverage_of, divide, quantities, why_not_over_equity
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons

_REASONS = tuple(Reason)


@dataclass(frozen=True, slots=True)
class FactorExposures:
    """Per portfolio and factor, shape (n_portfolios, n_factors).

    `beta` is unitless, `dollars` in portfolio currency a unit of factor return, `coverage` the part of the gross
    exposure whose beta is known: a beta with coverage below 1 speaks for that part only. `covered` (n_holdings,
    n_factors) tells which holdings these are, `of_symbols` (n_symbols, n_factors) are the betas themselves.
    """

    beta: Quantities
    dollars: Quantities
    coverage: Quantities
    covered: BoolArray
    of_symbols: FloatArray


def factor_exposures(holdings: NetHoldings, betas: Quantities) -> FactorExposures:
    """Return portfolio betas: the sum of signed exposure times beta over the holdings that have one, over equity.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents.
    betas : Quantities of shape (n_symbols, n_factors)
        Betas of the symbols that `holdings` points to.

    Returns
    -------
    FactorExposures
        Unavailable together: `DEGENERATE_INPUT` when equity is not positive, `NOT_APPLICABLE` for an empty book or
        a factor that applies to none of the holdings, `MISSING_DATA` with the tally of reasons when no holding has the
        beta. `coverage` depends on neither equity nor betas being there; only an empty book has none.

    Notes
    -----
    A missing beta is left out and lowers the coverage; it is never a zero. O(n_holdings x n_factors).
    """
    shape = holdings.n_portfolios, betas.values.shape[1]
    known = np.isfinite(betas.values)
    codes = _reason_codes(betas.unavailable)
    filled = np.where(known, betas.values, 0.0)
    cents, coverage = np.empty(shape), np.empty(shape)
    reasons = no_reasons(shape)
    coverage_reasons = no_reasons(shape)
    against_all = why_not_over_equity(holdings)
    for factor in range(shape[1]):
        covered = known[holdings.symbol, factor]
        cents[:, factor] = holdings.sums(holdings.net * filled[holdings.symbol, factor])
        part = coverage_of(holdings, covered)
        coverage[:, factor], coverage_reasons[:, factor] = part.values, part.unavailable
        reasons[:, factor] = against_all
        missing = is_available(against_all) & (part.values == 0)
        if missing.any():
            tally = _tally(holdings, codes[holdings.symbol, factor])
            for portfolio in np.flatnonzero(missing):
                reasons[portfolio, factor] = _why(tally[portfolio])
    equity = np.broadcast_to(holdings.equity[:, None].astype(np.float64), shape)
    return FactorExposures(
        beta=quantities(divide(cents, equity), reasons),
        dollars=quantities(cents / 100.0, reasons),
        coverage=Quantities(coverage, coverage_reasons),
        covered=known[holdings.symbol],
        of_symbols=betas.values,
    )


def _reason_codes(unavailable: ReasonArray) -> IntArray:
    """Return the index of each reason in `_REASONS`, -1 where there is a number."""
    codes = np.full(unavailable.shape, -1, dtype=np.int64)
    for cell in zip(*np.nonzero(unavailable), strict=True):
        codes[cell] = _REASONS.index(unavailable[cell].reason)
    return codes


def _tally(holdings: NetHoldings, codes: IntArray) -> IntArray:
    """Return how many holdings lack the beta for each reason, (n_portfolios, n_reasons)."""
    lacking = codes >= 0
    tally = np.zeros((holdings.n_portfolios, len(_REASONS)), dtype=np.int64)
    np.add.at(tally, (holdings.portfolio[lacking], codes[lacking]), 1)
    return tally


def _why(tally: IntArray) -> Unavailable:
    """Summarise why no holding of a portfolio has the beta."""
    found = [(reason, int(count)) for reason, count in zip(_REASONS, tally, strict=True) if count]
    detail = "none of the holdings has this beta: " + ", ".join(f"{count} {reason.value}" for reason, count in found)
    only = found[0][0] if len(found) == 1 else None
    return Unavailable(Reason.NOT_APPLICABLE if only is Reason.NOT_APPLICABLE else Reason.MISSING_DATA, detail)
