"""The most plausible moves of the factors that cost a portfolio a given part of its equity (methodology, 9)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.factor_model import known_loadings
from services.risk.core.factor_moves import FactorMoves
from services.risk.core.holdings import NetHoldings
from services.risk.core.nearest_loss import CurvedBook, nearest_loss
from services.risk.core.options import Options
from services.risk.core.ratios import divide, quantities, why_not_over_equity
from services.risk.core.stress import NO_LOADINGS, model_exposures
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import NEAREST_SESSIONS, REVERSE_LOSSES, RISK_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities, Reason, Unavailable, is_available

# Relative to the factors' own variances: below, what the book has of them is rounding.
_NO_EXPOSURE: Final = 1e-12
OUT_OF_REACH: Final = Unavailable(Reason.NOT_APPLICABLE, "no move of the factors was found that loses so much")
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


@dataclass(frozen=True, slots=True)
class _Found:
    """The nearest moves f, filled in in place: (n_portfolios, n_losses, ...); `pulls` are ``-S^-1 f``."""

    moves: FloatArray
    pulls: FloatArray
    distance: FloatArray


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
        distance ``L / sqrt(d' S d)``; of one with options, which are revalued, that of a search. `NOT_APPLICABLE` where
        the factors do not change the book, no move was found that loses so much, or a proxy would have to lose more
        than all of its value; the reasons of the model otherwise.
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
    found = _Found(
        moves=-sizes[..., None] * along[:, None],
        pulls=sizes[..., None] * exposures.dollars[:, None],
        distance=losses / np.sqrt(np.where(variance > 0, variance, np.nan))[:, None],
    )
    options = exposures.in_model[holdings.options.place]
    curved = np.isin(np.arange(holdings.n_portfolios), holdings.portfolio[holdings.options.place[options]])
    reasons = _reasons(holdings, moves, loaded=exposures.loaded, unmoved=(variance <= 0) & ~curved)
    for portfolio in np.flatnonzero(curved & is_available(reasons[:, 0])).tolist():
        mine = options & (holdings.portfolio[holdings.options.place] == portfolio)
        book = CurvedBook(exposures.dollars[portfolio], *_options_of(holdings, model, mine))
        _search(found, reasons, book, losses[portfolio], covariance=covariance, portfolio=portfolio)
    _refuse_impossible(reasons, found.moves, moves)
    known = is_available(reasons)
    shown = known[..., None] & np.isfinite(np.diag(moves.covariance))
    spread = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), 1.0))
    nearest, returns = np.full((*shape, NEAREST_SESSIONS), -1), np.full((*shape, NEAREST_SESSIONS), np.nan)
    if known.any() and isinstance(moves.factors, FactorBasis):
        pnl = _pnl_of_sessions(holdings, model, exposures.dollars, moves.factors)
        nearest, returns = _nearest(pnl, found.pulls, moves.factors, moves.covariance)
        returns = returns / (np.where(holdings.equity > 0, holdings.equity, 1)[:, None, None] / 100.0)
    return ReverseStress(
        distance=quantities(found.distance, reasons),
        moves=np.where(shown, found.moves, np.nan),
        deviations=np.where(shown, found.moves / spread, np.nan),
        nearest=np.where(known[..., None], nearest, -1),
        nearest_returns=np.where(known[..., None], returns, np.nan),
    )


def _options_of(holdings: NetHoldings, model: Quantities, which: BoolArray) -> tuple[FloatArray, Options]:
    """Return the loadings of the underlyings of some options, and the options."""
    options = holdings.options.part(which)
    return np.nan_to_num(known_loadings(model))[holdings.symbol[options.place]], options


def _search(
    found: _Found,
    reasons: ReasonArray,
    book: CurvedBook,
    losses: FloatArray,
    *,
    covariance: FloatArray,
    portfolio: int,
) -> None:
    """Fill in, in place, the nearest moves of a book with options, or that there are none."""
    inverse = np.linalg.pinv(covariance, hermitian=True)
    for number, loss in enumerate(losses.tolist()):
        move = nearest_loss(book, loss, covariance)
        if move is None:
            reasons[portfolio, number] = OUT_OF_REACH
            continue
        pull = -inverse @ move
        found.moves[portfolio, number], found.pulls[portfolio, number] = move, pull
        found.distance[portfolio, number] = np.sqrt(-pull @ move)


def _reasons(holdings: NetHoldings, moves: FactorMoves, *, loaded: IntArray, unmoved: BoolArray) -> ReasonArray:
    found = why_not_over_equity(holdings)
    if isinstance(moves.factors, Unavailable):
        found[is_available(found)] = moves.factors
    found[is_available(found) & (loaded == 0)] = NO_LOADINGS
    found[is_available(found) & unmoved] = UNMOVED
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


def _pnl_of_sessions(holdings: NetHoldings, model: Quantities, dollars: FloatArray, basis: FactorBasis) -> FloatArray:
    """Return the P&L that the factors made of today's books on the sessions that have all of them."""
    history, loadings = basis.factors[:, basis.rows], known_loadings(model)
    pnl = np.zeros((len(dollars), history.shape[1]))
    returns = np.zeros((len(loadings), history.shape[1]))
    for factor in np.flatnonzero(basis.configured):
        pnl += dollars[:, factor, None] * history[factor]
        returns += loadings[:, factor, None] * history[factor]
    return pnl + holdings.convexity(returns)


def _nearest(
    pnl: FloatArray, pulls: FloatArray, basis: FactorBasis, covariance: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the sessions nearest to each move, and the P&L on them.

    The squared distance of a session's factors g from f is ``g' S^-1 g + f' S^-1 f - 2 g' S^-1 f``, of which the second
    term is the same for all sessions.
    """
    history = basis.factors[:, basis.rows]
    there = basis.configured
    inverse = np.linalg.pinv(covariance[np.ix_(there, there)], hermitian=True)
    own = (history[there] * (inverse[:, :, None] * history[there]).sum(axis=1)).sum(axis=0)  # (n_rows,)
    apart = np.repeat(own[None], pulls.shape[0] * pulls.shape[1], axis=0).reshape(*pulls.shape[:2], -1)
    for factor in np.flatnonzero(there):
        apart += 2.0 * pulls[..., factor, None] * history[factor]
    first = np.argsort(apart, axis=-1, kind="stable")[..., :NEAREST_SESSIONS]
    returns = np.take_along_axis(np.broadcast_to(pnl[:, None], apart.shape), first, axis=-1)
    return np.flatnonzero(basis.rows)[first], returns
