"""Variance of portfolios split into what the style factors explain and what is specific (methodology, 10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.covariance import LedoitWolf

from services.risk.core.holdings import NetHoldings
from services.risk.core.moments import variance_of_present
from services.risk.core.ratios import coverage_of, divide, quantities, why_not_over_equity
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import (
    FACTOR_MIN_OBSERVATIONS,
    FACTOR_WINDOW,
    FACTORS,
    RISK_FACTORS,
    SESSIONS_PER_YEAR,
    STYLE_FACTORS,
)
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_BETA_COLUMNS: Final = [FACTORS.index(factor) for factor in STYLE_FACTORS]
_RETURN_ROWS: Final = [RISK_FACTORS.index(factor) for factor in STYLE_FACTORS]
NO_PROXIES: Final = Unavailable(Reason.NOT_APPLICABLE, "no style factor has a proxy with every return")
NO_HOLDING: Final = Unavailable(Reason.MISSING_DATA, "no holding has both the style betas and a residual variance")
NO_VARIANCE: Final = Unavailable(Reason.DEGENERATE_INPUT, "the holdings in the model have no variance")


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Volatility of portfolios and whose it is: annualised fractions of equity.

    `total`, `systematic`, `specific`, `systematic_share` (of variance) and `coverage` have the shape (n_portfolios,),
    with ``systematic**2 + specific**2 == total**2``. `by_factor` (n_portfolios, n_styles) and `by_specific`
    (n_portfolios,) are contributions that add up to `total`, and so are `by_holding` (n_holdings,); `marginal`
    (n_holdings,) is the change of `total` by a unit of weight. Contributions are NaN where there is no total, those of
    factors without proxy and of holdings outside the model too. `observations` (n_portfolios,) is the smallest number
    of returns behind a residual variance.
    """

    total: Quantities
    systematic: Quantities
    specific: Quantities
    systematic_share: Quantities
    coverage: Quantities
    observations: IntArray
    by_factor: FloatArray
    by_specific: FloatArray
    by_holding: FloatArray
    marginal: FloatArray


def factor_covariance(factor_returns: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the annualised covariance of the style proxies, shrunk by Ledoit & Wolf (2004), and which are in it.

    Parameters
    ----------
    factor_returns : ndarray of shape (len(RISK_FACTORS), n_sessions)
        The last FACTOR_WINDOW sessions are used; a proxy that misses one of them is left out.

    Returns
    -------
    covariance : ndarray of shape (n_styles, n_styles)
        Zero for the styles left out.
    included : ndarray of bool, shape (n_styles,)
    """
    returns = factor_returns[_RETURN_ROWS, -FACTOR_WINDOW:]
    included = np.asarray(np.isfinite(returns).all(axis=1))
    covariance = np.zeros((len(STYLE_FACTORS), len(STYLE_FACTORS)))
    if included.any():
        shrunk = LedoitWolf().fit(returns[included].T).covariance_
        covariance[np.ix_(included, included)] = shrunk * SESSIONS_PER_YEAR
    return covariance, included


def decompose(
    holdings: NetHoldings, betas: Quantities, returns: FloatArray, factor_returns: FloatArray
) -> Decomposition:
    """Split the variance of each portfolio by the joint style model: ``b' F b + sum(w**2 s**2)``.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents; weights are net exposure over equity.
    betas : Quantities of shape (n_symbols, len(FACTORS))
        The joint style betas of it are used.
    returns : ndarray of shape (n_symbols, n_sessions)
        Total returns; the residual variance of a symbol is that of its returns less betas times factor returns over
        the sessions of the last FACTOR_WINDOW that it has, FACTOR_MIN_OBSERVATIONS at least.
    factor_returns : ndarray of shape (len(RISK_FACTORS), n_sessions)

    Returns
    -------
    Decomposition
        `DEGENERATE_INPUT` without capital or variance, `NOT_APPLICABLE` for an empty book or without proxies,
        `MISSING_DATA` where no holding is in the model.

    Notes
    -----
    NaN policy: a holding without betas or residual variance is left out; `coverage` tells how much is in. Sums run over
    the holdings in their canonical order.
    """
    covariance, included = factor_covariance(factor_returns)
    known_betas = np.where(np.isfinite(betas.values), betas.values, np.nan)[:, _BETA_COLUMNS]
    loadings = np.where(included, known_betas, 0.0)
    residual, n_residual = _residual_variance(returns, loadings, factor_returns)
    known = np.isfinite(loadings).all(axis=1) & np.isfinite(residual)
    covered = known[holdings.symbol]
    coverage = coverage_of(holdings, covered)
    reasons = _reasons(holdings, coverage, any_factor=bool(included.any()))

    capital = np.where(holdings.equity > 0, holdings.equity, 1)
    weight = np.where(covered, holdings.net / capital[holdings.portfolio], 0.0)
    loading = np.where(known[:, None], loadings, 0.0)[holdings.symbol]
    own = np.where(known, residual, 0.0)[holdings.symbol]
    exposure = np.column_stack([holdings.sums(weight * column) for column in loading.T])
    along = (exposure[:, None] * covariance).sum(axis=-1)  # covariance of each factor with the portfolio
    systematic = (exposure * along).sum(axis=-1)
    specific = holdings.sums(weight * weight * own)
    variance = systematic + specific
    reasons[(variance <= 0) & is_available(reasons)] = NO_VARIANCE
    total = np.sqrt(np.where(variance > 0, variance, np.nan))
    marginal = ((loading * along[holdings.portfolio]).sum(axis=-1) + weight * own) / total[holdings.portfolio]
    measured = is_available(reasons)
    inside = covered & measured[holdings.portfolio]
    return Decomposition(
        total=quantities(total, reasons),
        systematic=quantities(np.sqrt(np.maximum(systematic, 0.0)), reasons),
        specific=quantities(np.sqrt(specific), reasons),
        systematic_share=quantities(divide(np.maximum(systematic, 0.0), variance), reasons),
        coverage=coverage,
        observations=np.where(measured, _smallest(holdings, n_residual, covered), 0),
        by_factor=np.where(included & measured[:, None], exposure * along / total[:, None], np.nan),
        by_specific=np.where(measured, specific / total, np.nan),
        by_holding=np.where(inside, weight * marginal, np.nan),
        marginal=np.where(inside, marginal, np.nan),
    )


def _reasons(holdings: NetHoldings, coverage: Quantities, *, any_factor: bool) -> ReasonArray:
    reasons = why_not_over_equity(holdings)
    open_ = is_available(reasons)
    if not any_factor:
        reasons[open_] = NO_PROXIES
    else:
        reasons[open_ & (coverage.values == 0)] = NO_HOLDING
    return reasons


def _residual_variance(
    returns: FloatArray, loadings: FloatArray, factor_returns: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return the annualised variance that the factors leave of each symbol, NaN with too few returns, and the count."""
    residuals = returns[:, -FACTOR_WINDOW:].copy()
    proxies = factor_returns[_RETURN_ROWS, -FACTOR_WINDOW:]
    for loading, proxy in zip(loadings.T, proxies, strict=True):
        if np.isfinite(proxy).all():
            residuals -= loading[:, None] * proxy
    variance, count = variance_of_present(residuals)
    return np.where(count >= FACTOR_MIN_OBSERVATIONS, variance * SESSIONS_PER_YEAR, np.nan), count


def _smallest(holdings: NetHoldings, observations: IntArray, covered: BoolArray) -> IntArray:
    smallest = np.full(holdings.n_portfolios, np.iinfo(np.int64).max)
    np.minimum.at(smallest, holdings.portfolio[covered], observations[holdings.symbol[covered]])
    return np.where(smallest == np.iinfo(np.int64).max, 0, smallest)
