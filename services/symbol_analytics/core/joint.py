"""Joint least squares of many symbols on several regressors, with standard errors (methodology, 9: loadings)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.symbol_analytics.core.design import Design, design_of
from services.symbol_analytics.core.ridge import BLOCK
from services.symbol_analytics.core.rows import (
    Deviations,
    RowsUsed,
    checked_returns,
    deviations,
    refuse_overflow,
    rows_used,
    why_unavailable,
)
from shared.arrays import BoolArray, FloatArray, ReasonArray
from shared.unavailable import Reason, Unavailable, is_available, no_reasons

# Least eigenvalue of the regressors' correlations below which one is a combination of the others.
_COLLINEAR: Final = 1e-10
COLLINEAR: Final = Unavailable(Reason.DEGENERATE_INPUT, "the regressors are collinear over the rows used")


@dataclass(frozen=True, slots=True)
class JointFits:
    """One joint fit per symbol; every number is NaN exactly where `unavailable` has an entry.

    Parameters
    ----------
    coefficients, std_errors : ndarray of shape (n_symbols, n_regressors)
        Per unit of return of the regressor, never limited.
    r_squared : ndarray of shape (n_symbols,)
        In-sample.
    residual_variances : ndarray of shape (n_symbols,)
        Sum of squared residuals over the degrees of freedom, rows less regressors less one.
    rows : RowsUsed
    unavailable : ndarray of object, shape (n_symbols,)
        `Unavailable` or None.
    """

    coefficients: FloatArray
    std_errors: FloatArray
    r_squared: FloatArray
    residual_variances: FloatArray
    rows: RowsUsed
    unavailable: ReasonArray


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def fit_joint(returns: FloatArray, regressors: FloatArray, *, min_observations: int) -> JointFits:
    """Return the joint least-squares coefficients of each symbol's returns on all the regressors, with intercept.

    Parameters
    ----------
    returns : ndarray of shape (n_symbols, n_sessions)
        Simple returns, one row per symbol, oldest first; NaN where there is none.
    regressors : ndarray of shape (n_regressors, n_sessions)
        On the same sessions; NaN where there is none.
    min_observations : int
        Fewer rows leave the symbol without, `INSUFFICIENT_HISTORY` or `MISSING_DATA`; more than the coefficients and
        the intercept.

    Returns
    -------
    JointFits
        Homoskedastic standard errors. `DEGENERATE_INPUT` where the symbol or a regressor does not vary over the rows
        used, the regressors are collinear there, or a number is beyond the range of a float.

    Notes
    -----
    NaN policy and independence of the batch as of `fit_ridges`, whose standardised moments these are.
    """
    y = checked_returns(returns)  # (n_symbols, n_sessions)
    x = checked_returns(regressors, n_sessions=y.shape[1])  # (n_regressors, n_sessions)
    if min_observations <= len(x) + 1:
        raise ValueError(f"min_observations must exceed {len(x) + 1}, was {min_observations}")
    rows = rows_used(y, x)
    coefficients, std_errors = np.empty((len(y), len(x))), np.empty((len(y), len(x)))
    r_squared, variances = np.empty(len(y)), np.empty(len(y))
    unavailable = no_reasons(len(y))
    for start in range(0, len(y), BLOCK):
        block = slice(start, start + BLOCK)
        n_observations = rows.n_observations[block]
        design, dy = design_of(x, rows.mask[block]), deviations(y[block], rows.mask[block])
        reasons = why_unavailable(
            n_observations,
            rows.n_lived[block],
            min_observations=min_observations,
            symbol_varies=dy.varies,
            regressors_vary=design.varies[design.mask_of_symbol],
        )
        inverse, independent = _inverse(design)
        reasons[is_available(reasons) & ~independent[design.mask_of_symbol]] = COLLINEAR
        unavailable[block] = reasons
        coefficients[block], residual = _solve(design, dy, inverse)
        variances[block] = residual / np.maximum(n_observations - len(x) - 1, 1)
        spread = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))[design.mask_of_symbol]
        std_errors[block] = np.sqrt(variances[block])[:, None] * spread / design.scales[design.mask_of_symbol]
        r_squared[block] = 1.0 - residual / np.where(dy.varies, dy.sum_squares, 1.0)
    missing = ~refuse_overflow(unavailable, r_squared, variances, *coefficients.T, *std_errors.T)
    for numbers in (coefficients, std_errors, r_squared, variances):
        numbers[missing] = np.nan
    return JointFits(coefficients, std_errors, r_squared, variances, rows, unavailable)


def _inverse(design: Design) -> tuple[FloatArray, BoolArray]:
    """Return the inverse moments of each distinct set of rows, (n_masks, k, k), and where there is one."""
    moments = np.where(np.isfinite(design.moments), design.moments, 0.0)
    rows = np.maximum(np.diagonal(moments, axis1=1, axis2=2).max(axis=1), 1.0)  # standardised: their number
    independent: BoolArray = design.varies & (np.linalg.eigvalsh(moments / rows[:, None, None])[:, 0] > _COLLINEAR)
    moments[~independent] = np.eye(moments.shape[1])
    return np.linalg.inv(moments), independent


def _solve(design: Design, dy: Deviations, inverse: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients, (n_symbols, n_regressors), and the sums of squared residuals, (n_symbols,)."""
    of_symbol = design.mask_of_symbol
    cross = np.stack([(z[of_symbol] * dy.values).sum(axis=-1) for z in design.standardised], axis=1)
    weights = (inverse[of_symbol] * cross[:, None]).sum(axis=-1)  # (n_symbols, n_regressors)
    residuals = dy.values.copy()
    for weight, z in zip(weights.T, design.standardised, strict=True):
        residuals -= weight[:, None] * z[of_symbol]
    return weights / design.scales[of_symbol], (residuals * residuals).sum(axis=-1)
