"""What scenarios would do to portfolios, directly and through the factors that move along (methodology, 9; ADR 6)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.exposures import FactorExposures
from services.risk.core.factor_moves import FactorMoves
from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import quantities
from shared.arrays import BoolArray, FloatArray, ReasonArray
from shared.conventions import FACTORS, MARKET_BETA, RATE_BETA, RISK_FACTORS, STYLE_FACTORS
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons

# The column of the symbol's betas that carries each risk factor.
_COLUMNS: Final = [FACTORS.index({"market": MARKET_BETA, "rate": RATE_BETA}.get(name, name)) for name in RISK_FACTORS]
_MARKET: Final = np.array([name == "market" for name in RISK_FACTORS])
_STYLES: Final = np.array([name in STYLE_FACTORS for name in RISK_FACTORS])


@dataclass(frozen=True, slots=True)
class StressResults:
    """Per portfolio and scenario, shape (n_portfolios, n_scenarios), amounts in portfolio currency.

    `coverage` is the smallest coverage of the exposures that the scenario uses. `beyond_gross` marks losses, of either
    kind, above the gross exposure; losses are never clipped.
    """

    direct: Quantities
    propagated: Quantities
    coverage: Quantities
    beyond_gross: BoolArray


def stress(holdings: NetHoldings, exposures: FactorExposures, moves: FactorMoves) -> StressResults:
    """Return the P&L of every portfolio in every scenario.

    Parameters
    ----------
    holdings : NetHoldings
        For the gross exposure.
    exposures : FactorExposures
        Columns in the order of FACTORS.
    moves : FactorMoves
        The scenarios of the session.

    Returns
    -------
    StressResults
        Direct: the sum of exposure times shock over the shocked factors. Propagated: what the shocks let expect of the
        book. The market's move, shocked or implied, counts through the market beta; a style's move counts through its
        joint beta with what is left of it beside the market, so that nothing is counted twice; a shock of the rate
        through the rate beta. Each cell for which an exposure or a factor is missing has the reason with the name; the
        others are not touched.
    """
    dollars = exposures.dollars.values[:, _COLUMNS]
    reasons = _exposure_reasons(exposures, moves)
    shocked = np.isfinite(moves.shocks)
    direct_reasons = _first_reason(reasons, shocked)
    direct = _sums(np.where(np.isnan(dollars), 0.0, dollars), np.where(shocked, moves.shocks, 0.0))

    needed = _needed(shocked, moves)
    propagated_reasons = _first_reason(reasons, needed)
    _explain_collinear(propagated_reasons, moves)
    propagated = _sums(np.where(np.isnan(dollars), 0.0, dollars), np.nan_to_num(moves.loadings))

    direct_pnl, propagated_pnl = quantities(direct, direct_reasons), quantities(propagated, propagated_reasons)
    gross = holdings.totals(holdings.gross)[:, None] / 100.0
    with np.errstate(invalid="ignore"):
        beyond: BoolArray = (direct_pnl.values < -gross) | (propagated_pnl.values < -gross)
    return StressResults(direct_pnl, propagated_pnl, _coverage(exposures, needed), beyond)


def _exposure_reasons(exposures: FactorExposures, moves: FactorMoves) -> ReasonArray:
    """Return why a portfolio has no usable exposure to a factor, with its name, (n_portfolios, n_factors)."""
    reasons: ReasonArray = exposures.dollars.unavailable[:, _COLUMNS].copy()
    for row, column in zip(*np.nonzero(reasons), strict=True):
        why = reasons[row, column]
        reasons[row, column] = Unavailable(why.reason, f"{RISK_FACTORS[column]}: {why.detail}")
    for factor, missing in enumerate(moves.unavailable):
        if missing is not None:
            reasons[:, factor] = Unavailable(missing.reason, f"{RISK_FACTORS[factor]}: {missing.detail}")
    return reasons


def _needed(shocked: BoolArray, moves: FactorMoves) -> BoolArray:
    """Return the exposures that the propagated P&L of each scenario takes.

    With one style, the market's and those of all styles that exist.
    """
    moving = (_STYLES & np.array([why is None for why in moves.unavailable])) | _MARKET
    any_style = (shocked & _STYLES).any(axis=1)
    needed: BoolArray = shocked | (any_style[:, None] & moving)
    return needed


def _first_reason(reasons: ReasonArray, needed: BoolArray) -> ReasonArray:
    """Return per portfolio and scenario the reason of the first needed factor that has one."""
    found = no_reasons((reasons.shape[0], needed.shape[0]))
    for factor in range(reasons.shape[1])[::-1]:
        lacking = ~is_available(reasons[:, factor])
        for scenario in np.flatnonzero(needed[:, factor]):
            found[lacking, scenario] = reasons[lacking, factor]
    return found


def _explain_collinear(reasons: ReasonArray, moves: FactorMoves) -> None:
    """Fill in, in place, where the shocked factors are all known but too close to one another."""
    why = Unavailable(Reason.DEGENERATE_INPUT, "the shocked factors are collinear")
    for scenario in np.flatnonzero(np.isnan(moves.loadings).any(axis=1)):
        open_ = is_available(reasons[:, scenario])
        reasons[open_, scenario] = why


def _sums(exposures: FloatArray, sizes: FloatArray) -> FloatArray:
    """Return the sums over factors of exposure times size, (n_portfolios, n_sizes).

    Factor by factor: a matrix product would round differently with the size of the shard.
    """
    totals = np.zeros((exposures.shape[0], sizes.shape[0]))
    for exposure, size in zip(exposures.T, sizes.T, strict=True):
        totals += exposure[:, None] * size
    return totals


def _coverage(exposures: FactorExposures, needed: BoolArray) -> Quantities:
    values = exposures.coverage.values[:, _COLUMNS]
    whys = exposures.coverage.unavailable[:, _COLUMNS[0]]
    smallest = np.column_stack([values[:, factors].min(axis=1) for factors in needed])
    reasons: ReasonArray = np.repeat(whys[:, None], needed.shape[0], axis=1)
    return Quantities(smallest, reasons)
