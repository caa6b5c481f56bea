"""Variance of portfolios split into what the factors of the model explain and what is specific (methodology, 10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import coverage_of, divide, quantities, why_not_over_equity
from services.risk.core.residuals import SectorCorrelations
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import LOADINGS, MODEL_COLUMNS, RISK_FACTORS, SESSIONS_PER_YEAR, SPECIFIC_VOLATILITY
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_SPECIFIC: Final = MODEL_COLUMNS.index(SPECIFIC_VOLATILITY)
NO_HOLDING: Final = Unavailable(Reason.MISSING_DATA, "no holding has loadings on the factors")
NO_VARIANCE: Final = Unavailable(Reason.DEGENERATE_INPUT, "the holdings in the model have no variance")


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Volatility of portfolios and whose it is: annualised fractions of equity.

    `total`, `systematic`, `specific`, `systematic_share` (of variance) and `coverage` have the shape (n_portfolios,),
    with ``systematic**2 + specific**2 == total**2``. `by_factor` (n_portfolios, n_factors) and `by_specific`
    (n_portfolios,) are contributions that add up to `total`, and so are `by_holding` (n_holdings,); `marginal`
    (n_holdings,) is the change of `total` by a unit of weight. Contributions are NaN where there is no total, those of
    factors without proxy and of holdings outside the model too; `covered` (n_holdings,) are those in it. `observations`
    (n_portfolios,) are the sessions behind the covariance of the factors.
    """

    total: Quantities
    systematic: Quantities
    specific: Quantities
    systematic_share: Quantities
    coverage: Quantities
    covered: BoolArray
    observations: IntArray
    by_factor: FloatArray
    by_specific: FloatArray
    by_holding: FloatArray
    marginal: FloatArray


def factor_covariance(basis: FactorBasis) -> FloatArray:
    """Return the annualised covariance of the factors, shrunk by Ledoit & Wolf (2004), zero for those without proxy."""
    covariance = np.zeros((len(RISK_FACTORS), len(RISK_FACTORS)))
    history = basis.factors[:, basis.rows][basis.configured]
    shrunk = _shrunk(np.ascontiguousarray(history.T))
    covariance[np.ix_(basis.configured, basis.configured)] = shrunk * SESSIONS_PER_YEAR
    return covariance


def _shrunk(history: FloatArray) -> FloatArray:
    """Return the covariance of the columns, drawn towards equal variances without covariance as far as its error is.

    By the sums and in the order of scikit-learn, which a service would load for it longer than everything else.
    """
    sessions, columns = history.shape
    centred = history - history.mean(axis=0)
    squares = centred**2
    products = centred.T @ centred
    variances = squares.sum(axis=0) / sessions
    level = variances.sum() / columns
    size = (products**2).sum() / sessions**2
    error = 1.0 / (columns * sessions) * ((squares.T @ squares).sum() / sessions - size)
    distance = (size - 2.0 * level * variances.sum() + columns * level**2) / columns
    weight = min(error, distance) / distance if min(error, distance) else 0.0
    sample = products / sessions
    covariance: FloatArray = (1.0 - weight) * sample
    covariance.flat[:: columns + 1] += weight * (np.trace(sample) / columns)
    return covariance


def decompose(
    holdings: NetHoldings,
    model: Quantities,
    basis: FactorBasis | Unavailable,
    *,
    within: SectorCorrelations | None = None,
) -> Decomposition:
    """Split the variance of each portfolio: ``b' F b + sum(w**2 s**2)``, and what the latter share within sectors.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents; weights are net exposure over equity.
    model : Quantities of shape (n_symbols, len(MODEL_COLUMNS))
        Loadings on the factors, and the specific volatility, of the symbols.
    basis : FactorBasis or Unavailable
        The factors of the session.
    within : SectorCorrelations, optional
        Of what the factors leave of the holdings; none given: nothing in common.

    Returns
    -------
    Decomposition
        `DEGENERATE_INPUT` without capital or variance, `NOT_APPLICABLE` for an empty book, `MISSING_DATA` where no
        holding is in the model, and the reason of the factors where there are none.

    Notes
    -----
    NaN policy: a holding without loadings is left out; `coverage` tells how much is in. Sums run over the holdings in
    their canonical order.
    """
    nothing = np.zeros((len(RISK_FACTORS), len(RISK_FACTORS)))
    covariance = nothing if isinstance(basis, Unavailable) else factor_covariance(basis)
    included = np.diag(covariance) > 0.0
    loadings = np.where(included, known_loadings(model), 0.0)
    own = model.values[:, _SPECIFIC] ** 2
    known = np.isfinite(loadings).all(axis=1) & np.isfinite(own)
    covered = known[holdings.symbol]
    coverage = coverage_of(holdings, covered)
    reasons = _reasons(holdings, coverage, basis)

    capital = np.where(holdings.equity > 0, holdings.equity, 1)
    weight = np.where(covered, holdings.net / capital[holdings.portfolio], 0.0)
    loading = np.where(known[:, None], loadings, 0.0)[holdings.symbol]
    residual = np.where(known, own, 0.0)[holdings.symbol]
    exposure = np.column_stack([holdings.sums(weight * column) for column in loading.T])
    along = (exposure[:, None] * covariance).sum(axis=-1)  # covariance of each factor with the portfolio
    systematic = (exposure * along).sum(axis=-1)
    shared = _shared(weight * np.sqrt(residual), within) * np.sqrt(residual)
    specific = np.maximum(holdings.sums(weight * weight * residual + weight * shared), 0.0)
    variance = systematic + specific
    reasons[(variance <= 0) & is_available(reasons)] = NO_VARIANCE
    total = np.sqrt(np.where(variance > 0, variance, np.nan))
    own_part = weight * residual + shared
    marginal = ((loading * along[holdings.portfolio]).sum(axis=-1) + own_part) / total[holdings.portfolio]
    measured = is_available(reasons)
    inside = covered & measured[holdings.portfolio]
    sessions = 0 if isinstance(basis, Unavailable) else int(basis.rows.sum())
    return Decomposition(
        total=quantities(total, reasons),
        systematic=quantities(np.sqrt(np.maximum(systematic, 0.0)), reasons),
        specific=quantities(np.sqrt(specific), reasons),
        systematic_share=quantities(divide(np.maximum(systematic, 0.0), variance), reasons),
        coverage=coverage,
        covered=covered,
        observations=np.where(measured, sessions, 0),
        by_factor=np.where(included & measured[:, None], exposure * along / total[:, None], np.nan),
        by_specific=np.where(measured, specific / total, np.nan),
        by_holding=np.where(inside, weight * marginal, np.nan),
        marginal=np.where(inside, marginal, np.nan),
    )


def _shared(sizes: FloatArray, within: SectorCorrelations | None) -> FloatArray:
    """Return what each holding has in common with the others of its sector: their sizes times the correlation."""
    shared = np.zeros(sizes.shape)
    if within is not None:
        grouped = within.group >= 0
        group = within.group[grouped]
        totals = np.bincount(group, sizes[grouped], minlength=within.correlation.size)
        shared[grouped] = within.correlation[group] * (totals[group] - sizes[grouped])
    return shared


def known_loadings(model: Quantities) -> FloatArray:
    """Return the loadings on the factors, (n_symbols, n_factors), NaN where there is none."""
    loadings = model.values[:, : len(LOADINGS)]
    return np.where(np.isfinite(loadings), loadings, np.nan)


def _reasons(holdings: NetHoldings, coverage: Quantities, basis: FactorBasis | Unavailable) -> ReasonArray:
    reasons = why_not_over_equity(holdings)
    open_ = is_available(reasons)
    if isinstance(basis, Unavailable):
        reasons[open_] = basis
    else:
        reasons[open_ & (coverage.values == 0)] = NO_HOLDING
    return reasons
