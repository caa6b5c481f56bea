"""The most plausible moves of the factors that cost a portfolio a given part of its equity (methodology, 9)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.factor_moves import FactorMoves
from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import divide, quantities, why_not_over_equity
from services.risk.core.stress import NO_LOADINGS, model_exposures
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.conventions import NEAREST_SESSIONS, REVERSE_LOSSES, RISK_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities, Reason, Unavailable, is_available

# Relative to the factors' own variances: below, what the book has of them is rounding.
_NO_EXPOSURE: Final = 1e-12
UNMOVED: Final = Unavailable(Reason.NOT_APPLICABLE, "no move of the factors changes the value of the book")


@dataclass(frozen=True, slots=True)
class ReverseStress:
    """Per portfolio and loss in REVERSE_LOSSES.

    `distance` (n_portfolios, n_losses) is that of Mahalanobis, in deviations of one session; `moves` (n_portfolios,
    n_losses, n_factors) are those of the factors, `deviations` the same over each factor's own of one session; NaN
    where there is no distance, and for factors without proxy. `nearest` (n_portfolios, n_losses, NEAREST_SESSIONS) are
    the places, in the window of the factors, of the sessions whose moves were nearest, the nearest first, and
    `nearest_returns` what the factors made of the book on them; -1 and NaN where there is none.
    """

    distance: Quantities
    moves: FloatArray
    deviations: FloatArray
    nearest: IntArray
    nearest_returns: FloatArray


def reverse_stress(holdings: NetHoldings, model: Quantities, moves: FactorMoves) -> ReverseStress:
    """Return the nearest moves that lose each part of equity.

    Parameters
    ----------
    holdings : NetHoldings
    model : Quantities of shape (n_symbols, len(MODEL_COLUMNS))
        The loadings of the symbols.
    moves : FactorMoves
        Of the session: factors and covariance.

    Returns
    -------
    ReverseStress
        Of a book with exposures d the smallest ``f' S^-1 f`` with ``d'f = -L``: ``f = -L S d / (d' S d)``, at the
        distance ``L / sqrt(d' S d)``. `NOT_APPLICABLE` where the factors do not change the book, or a proxy would have
        to lose more than all of its value; the reasons of the model otherwise.
    """
    n_losses = len(REVERSE_LOSSES)
    shape = holdings.n_portfolios, n_losses
    exposures = model_exposures(holdings, model)
    covariance = np.nan_to_num(moves.covariance)
    along = (exposures.dollars[:, None] * covariance).sum(axis=-1)  # (n_portfolios, n_factors)
    variance = (exposures.dollars * along).sum(axis=-1)
    own = (exposures.dollars**2 * np.diag(covariance)).sum(axis=-1)
    variance = np.where(variance > _NO_EXPOSURE * own, variance, 0.0)
    losses = holdings.equity[:, None] / 100.0 * np.array(REVERSE_LOSSES)  # (n_portfolios, n_losses)
    sizes = divide(losses, np.repeat(variance[:, None], n_losses, axis=1))
    found = -sizes[..., None] * along[:, None]
    reasons = _reasons(holdings, moves, loaded=exposures.loaded, variance=variance)
    _refuse_impossible(reasons, found, moves)
    known = is_available(reasons)
    configured = np.isfinite(np.diag(moves.covariance))
    shown = known[..., None] & configured
    spread = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), 1.0))
    nearest, returns = np.full((*shape, NEAREST_SESSIONS), -1), np.full((*shape, NEAREST_SESSIONS), np.nan)
    if known.any() and isinstance(moves.factors, FactorBasis):
        nearest, returns = _nearest(exposures.dollars, sizes, moves.factors, moves.covariance)
        returns = returns / (np.where(holdings.equity > 0, holdings.equity, 1)[:, None, None] / 100.0)
    return ReverseStress(
        distance=quantities(losses / np.sqrt(np.where(variance > 0, variance, np.nan))[:, None], reasons),
        moves=np.where(shown, found, np.nan),
        deviations=np.where(shown, found / spread, np.nan),
        nearest=np.where(known[..., None], nearest, -1),
        nearest_returns=np.where(known[..., None], returns, np.nan),
    )


def _reasons(holdings: NetHoldings, moves: FactorMoves, *, loaded: IntArray, variance: FloatArray) -> ReasonArray:
    found = why_not_over_equity(holdings)
    if isinstance(moves.factors, Unavailable):
        found[is_available(found)] = moves.factors
    found[is_available(found) & (loaded == 0)] = NO_LOADINGS
    found[is_available(found) & (variance <= 0)] = UNMOVED
    return np.repeat(found[:, None], len(REVERSE_LOSSES), axis=1)


def _refuse_impossible(reasons: ReasonArray, found: FloatArray, moves: FactorMoves) -> None:
    """Fill in, in place, where a proxy would have to lose more than its value; the one that falls furthest is named."""
    if isinstance(moves.factors, Unavailable):
        return
    proxies = np.zeros(found.shape)
    for factor, column in enumerate(moves.factors.proxies.T):  # one after another: no product over the portfolios
        proxies += found[..., factor, None] * column
    worst = np.nan_to_num(proxies).min(axis=-1)
    for portfolio, loss in np.argwhere(is_available(reasons) & (worst < -1.0)).tolist():
        name = RISK_FACTORS[int(np.nan_to_num(proxies[portfolio, loss]).argmin())]
        detail = f"{name} would have to fall by {-worst[portfolio, loss]:.0%}"
        reasons[portfolio, loss] = Unavailable(Reason.NOT_APPLICABLE, detail)


def _nearest(
    dollars: FloatArray, sizes: FloatArray, basis: FactorBasis, covariance: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the sessions nearest to each move, and the P&L that the factors made on them.

    The squared distance of a session's factors g from f is ``g' S^-1 g + f' S^-1 f - 2 g' S^-1 f``, of which the second
    term is the same for all sessions and ``S^-1 f`` is minus the size times d.
    """
    history = basis.factors[:, basis.rows]
    there = basis.configured
    inverse = np.linalg.pinv(covariance[np.ix_(there, there)], hermitian=True)
    own = (history[there] * (inverse[:, :, None] * history[there]).sum(axis=1)).sum(axis=0)  # (n_rows,)
    pnl = np.zeros((len(dollars), history.shape[1]))
    for factor in np.flatnonzero(there):
        pnl += dollars[:, factor, None] * history[factor]
    apart = own + 2.0 * sizes[..., None] * pnl[:, None]  # (n_portfolios, n_losses, n_rows)
    first = np.argsort(apart, axis=-1, kind="stable")[..., :NEAREST_SESSIONS]
    returns = np.take_along_axis(np.broadcast_to(pnl[:, None], apart.shape), first, axis=-1)
    return np.flatnonzero(basis.rows)[first], returns
