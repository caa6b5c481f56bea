"""The loadings of a shard's symbols on the factors of the coherent model, or the reasons (methodology, 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.symbol_analytics.core.factors import CONVENTIONS
from services.symbol_analytics.core.freshness import checked_closes
from services.symbol_analytics.core.joint import fit_joint
from services.symbol_analytics.core.panel import Panel, panel_of
from services.symbol_analytics.core.parameters import FactorParameters
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import RISK_FACTORS, SESSIONS_PER_YEAR
from shared.factor_basis import factor_basis
from shared.factor_set import FactorSet
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_N: Final = len(RISK_FACTORS)


@dataclass(frozen=True, slots=True)
class FactorLoadings:
    """The joint regression of each symbol on the factors, in the order of RISK_FACTORS.

    Parameters
    ----------
    values, std_errors : ndarray of shape (n_symbols, n_factors)
        NaN for a factor without proxy, and where `unavailable` has an entry.
    r_squared : ndarray of shape (n_symbols,)
    specific_volatility : ndarray of shape (n_symbols,)
        Annualised, of what the factors leave.
    unavailable : ndarray of object, shape (n_symbols,)
        Why a symbol has no loadings, or None.
    configured : ndarray of bool, shape (n_factors,)
        Which factors have a proxy.
    n_observations, first_row, last_row : ndarray of int64, shape (n_symbols,)
        As of `FactorEstimates`.
    """

    values: FloatArray
    std_errors: FloatArray
    r_squared: FloatArray
    specific_volatility: FloatArray
    unavailable: ReasonArray
    configured: BoolArray
    n_observations: IntArray
    first_row: IntArray
    last_row: IntArray

    @property
    def announced(self) -> Quantities:
        """Return the numbers in the order of MODEL_COLUMNS, (n_symbols, n_columns)."""
        values = np.column_stack([self.values, self.std_errors, self.specific_volatility])
        reasons = np.repeat(self.unavailable[:, None], values.shape[1], axis=1)
        for factor in np.flatnonzero(~self.configured):
            why = Unavailable(Reason.NOT_APPLICABLE, f"no proxy configured for {RISK_FACTORS[factor]}")
            for column in (factor, factor + _N):
                reasons[is_available(reasons[:, column]), column] = why
        return Quantities(values, reasons)


def estimate_loadings(
    closes: FloatArray,
    proxies: Mapping[str, FloatArray],
    *,
    factor_set: FactorSet,
    parameters: FactorParameters = CONVENTIONS,
) -> FactorLoadings:
    """Return the loadings of every symbol as of the last session given.

    Parameters
    ----------
    closes, proxies, factor_set, parameters
        As of `estimate_factors`, and so are the order of reasons and the NaN policy.

    Returns
    -------
    FactorLoadings
        Nothing is capped: what a factor does to a symbol is what its loading says.
    """
    panel = panel_of(checked_closes(closes), proxies, factor_set, stale_after=parameters.stale_after)
    tickers = [factor_set.proxy(factor) for factor in RISK_FACTORS]
    configured = np.array([ticker is not None for ticker in tickers])
    window = parameters.style.sessions
    why = panel.why_no_regressor([ticker for ticker in tickers if ticker is not None], parameters.style)
    if why is None:
        nothing = np.full(panel.returns.shape[1], np.nan)
        returns = np.stack([nothing if ticker is None else panel.proxies[ticker] for ticker in tickers])
        basis = factor_basis(returns[:, -window:], configured)
        if not isinstance(basis, Unavailable):
            return _fitted(panel, basis.factors, configured, parameters)
        why = basis
    return _absent(panel, why, configured)


def _fitted(panel: Panel, factors: FloatArray, configured: BoolArray, parameters: FactorParameters) -> FactorLoadings:
    window = parameters.style
    fits = fit_joint(
        panel.returns[:, -window.sessions :], factors[configured], min_observations=window.min_observations
    )
    reasons = np.where(is_available(panel.not_current), fits.unavailable, panel.not_current)
    kept = is_available(reasons)
    values, std_errors = np.full((2, len(kept), _N), np.nan)
    values[:, configured] = np.where(kept[:, None], fits.coefficients, np.nan)
    std_errors[:, configured] = np.where(kept[:, None], fits.std_errors, np.nan)
    skipped = panel.returns.shape[1] - window.sessions + 1  # the return in column 0 ends on close 1
    first, last = (np.where(rows < 0, -1, rows + skipped) for rows in (fits.rows.first, fits.rows.last))
    return FactorLoadings(
        values=values,
        std_errors=std_errors,
        r_squared=np.where(kept, fits.r_squared, np.nan),
        specific_volatility=np.where(kept, np.sqrt(fits.residual_variances * SESSIONS_PER_YEAR), np.nan),
        unavailable=reasons,
        configured=configured,
        n_observations=fits.rows.n_observations,
        first_row=first,
        last_row=last,
    )


def _absent(panel: Panel, why: Unavailable, configured: BoolArray) -> FactorLoadings:
    """Return the loadings that no symbol has; its own reason, if it has one, comes first."""
    n_symbols = len(panel.returns)
    nothing, no_row = np.full(n_symbols, np.nan), np.full(n_symbols, -1, dtype=np.int64)
    missing = np.full((n_symbols, _N), np.nan)
    reasons = panel.not_current.copy()
    reasons[is_available(reasons)] = why
    return FactorLoadings(
        values=missing,
        std_errors=missing,
        r_squared=nothing,
        specific_volatility=nothing,
        unavailable=reasons,
        configured=configured,
        n_observations=np.zeros(n_symbols, dtype=np.int64),
        first_row=no_row,
        last_row=no_row,
    )
