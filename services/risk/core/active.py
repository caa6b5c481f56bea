"""How far from the market today's books move (methodology, 10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.ratios import divide, quantities
from services.risk.core.volatility import ReturnSeries
from shared.arrays import FloatArray, IntArray
from shared.conventions import FACTOR_MIN_OBSERVATIONS, RISK_FACTORS, SESSIONS_PER_YEAR
from shared.factor_basis import FactorBasis
from shared.returns import deviation_of_present
from shared.unavailable import Quantities, Reason, Unavailable, is_available

# Spread of differences, in returns: below, what a book does beside the market is rounding.
_ROUNDING: Final = 1e-12
SAME: Final = Unavailable(Reason.DEGENERATE_INPUT, "the book moves as the market does")


@dataclass(frozen=True, slots=True)
class ActiveRisk:
    """Tracking error and information ratio of each portfolio, and the returns behind them; all (n_portfolios,)."""

    tracking_error: Quantities
    information_ratio: Quantities
    observations: IntArray


def active_risk(series: ReturnSeries, basis: FactorBasis | Unavailable) -> ActiveRisk:
    """Return how the returns of today's books differ from those of the market's proxy.

    Parameters
    ----------
    series : ReturnSeries
        Daily returns, the last one that of the session.
    basis : FactorBasis or Unavailable
        Of the same session.

    Returns
    -------
    ActiveRisk
        The annualised sample deviation of the differences, and their annualised mean over it. The reason of the series
        or of the basis, `INSUFFICIENT_HISTORY` with fewer than FACTOR_MIN_OBSERVATIONS sessions that both have; no
        ratio, `DEGENERATE_INPUT`, of a book that does nothing but what the market does.

    Notes
    -----
    NaN policy: a session that either lacks is left out.
    """
    reasons = series.unavailable.copy()
    if isinstance(basis, Unavailable):
        reasons[is_available(reasons)] = basis
        nothing = np.full(reasons.shape, np.nan)
        return ActiveRisk(
            quantities(nothing, reasons), quantities(nothing, reasons), np.zeros(reasons.shape, dtype=np.int64)
        )
    apart = series.values - _market_beside(series, basis)
    present = np.isfinite(apart)
    observations = np.where(is_available(reasons), present.sum(axis=1), 0)
    for portfolio in np.flatnonzero(is_available(reasons) & (observations < FACTOR_MIN_OBSERVATIONS)):
        detail = f"{observations[portfolio]} of {FACTOR_MIN_OBSERVATIONS} sessions with every proxy's return"
        reasons[portfolio] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)

    known = np.where(present, apart, 0.0)
    same = np.abs(known).max(axis=1) <= _ROUNDING
    error = np.where(same, 0.0, deviation_of_present(apart))
    mean = known.sum(axis=1) / np.maximum(observations, 1) * SESSIONS_PER_YEAR
    of_ratio = reasons.copy()
    of_ratio[is_available(reasons) & (error == 0)] = SAME
    return ActiveRisk(quantities(error, reasons), quantities(divide(mean, error), of_ratio), observations)


def _market_beside(series: ReturnSeries, basis: FactorBasis) -> FloatArray:
    """Return the market's return on each session of the series, (n_portfolios, n_sessions); NaN where there is none."""
    market = basis.factors[RISK_FACTORS.index("market")]
    width = series.values.shape[1]
    padded = np.full(max(width, market.size), np.nan)
    padded[-market.size :] = market
    beside = np.repeat(padded[None, -width:], len(series.values), axis=0)
    for portfolio, ages in series.ages.items():
        beside[portfolio, -ages.size :] = np.where(
            ages < market.size, market[-1 - np.minimum(ages, market.size - 1)], np.nan
        )
    return beside
