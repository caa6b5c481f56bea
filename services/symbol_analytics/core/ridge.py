"""Joint ridge regression of many symbols on the style factors (methodology, 3: style betas)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.symbol_analytics.core.design import Design, design_of
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
from shared.conventions import BETA_CAP, RIDGE_ALPHA
from shared.unavailable import no_reasons

# Symbols solved at a time: bounds the memory and keeps the deviations in the processor's cache; changes no result.
BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class RidgeFits:
    """One joint fit per symbol; every number is NaN exactly where `unavailable` has an entry.

    Parameters
    ----------
    betas : ndarray of shape (n_symbols, n_regressors)
        Coefficients per unit of return of the regressor, limited to the cap.
    capped : ndarray of bool, shape (n_symbols, n_regressors)
        True where the coefficient lay beyond the cap. R squared stays that of the fit as it was.
    r_squared : ndarray of shape (n_symbols,)
        In-sample.
    rows : RowsUsed
    unavailable : ndarray of object, shape (n_symbols,)
        `Unavailable` or None.
    """

    betas: FloatArray
    capped: BoolArray
    r_squared: FloatArray
    rows: RowsUsed
    unavailable: ReasonArray


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def fit_ridges(
    returns: FloatArray,
    regressors: FloatArray,
    *,
    min_observations: int,
    alpha: float = RIDGE_ALPHA,
    cap: float = BETA_CAP,
    begun: BoolArray | None = None,
) -> RidgeFits:
    """Return the joint ridge coefficients of each symbol's returns on all the regressors.

    Over the rows a symbol uses, minimise ``sum((y - b0 - Z w)**2) + alpha * sum(w**2)`` with Z the regressors
    standardised by their population standard deviation; the intercept is not penalised, `alpha` is not scaled by the
    number of rows, and the coefficients are returned per unit of the regressors as they were, ``w / s``.

    Parameters
    ----------
    returns : ndarray of shape (n_symbols, n_sessions)
        Simple returns, one row per symbol, oldest first; NaN where there is none.
    regressors : ndarray of shape (n_regressors, n_sessions)
        Simple returns of the factor proxies on the same sessions; NaN where there is none.
    min_observations : int
        Fewer rows leave the symbol without, `INSUFFICIENT_HISTORY` or `MISSING_DATA`; at least 2.
    alpha : float, default=RIDGE_ALPHA
        Penalty, positive, which also keeps collinear regressors solvable.
    cap : float, default=BETA_CAP
        Coefficients beyond are set to the cap and marked; exactly the cap is not beyond.
    begun : ndarray of bool, shape (n_symbols,), optional
        As of `rows_used`.

    Returns
    -------
    RidgeFits
        `DEGENERATE_INPUT` where the symbol or a regressor does not vary over the rows used, or a number is beyond the
        range of a float.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is infinite, `alpha` is not positive or `min_observations` is below 2.

    Notes
    -----
    NaN policy: a row is used where the symbol and all the regressors have a return; the number of rows is in the
    result. Symbols with the same rows share the moment matrix. A symbol's numbers are the same bits whatever symbols
    it is fitted with. Complexity O(n_symbols * n_sessions * n_regressors), and n_regressors more per distinct mask.

    References
    ----------
    Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, 2nd ed., section 3.4.1.
    """
    if not (alpha > 0.0 and np.isfinite(alpha)):
        raise ValueError(f"alpha must be positive and finite, was {alpha}")
    if min_observations < 2:
        raise ValueError(f"min_observations must be at least 2, was {min_observations}")
    y = checked_returns(returns)  # (n_symbols, n_sessions)
    x = checked_returns(regressors, n_sessions=y.shape[1])  # (n_regressors, n_sessions)
    rows = rows_used(y, x, begun=begun)
    coefficients = np.empty((len(y), len(x)))
    r_squared = np.empty(len(y))
    unavailable = no_reasons(len(y))
    for start in range(0, len(y), BLOCK):
        block = slice(start, start + BLOCK)
        design = design_of(x, rows.mask[block])
        dy = deviations(y[block], rows.mask[block])
        unavailable[block] = why_unavailable(
            rows.n_observations[block],
            rows.n_lived[block],
            min_observations=min_observations,
            symbol_varies=dy.varies,
            regressors_vary=design.varies[design.mask_of_symbol],
        )
        coefficients[block], r_squared[block] = _solve(design, dy, alpha)
    missing = ~refuse_overflow(unavailable, r_squared, *coefficients.T)
    coefficients[missing], r_squared[missing] = np.nan, np.nan
    return RidgeFits(
        betas=np.clip(coefficients, -cap, cap),
        capped=np.abs(coefficients) > cap,
        r_squared=r_squared,
        rows=rows,
        unavailable=unavailable,
    )


def _solve(design: Design, dy: Deviations, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients, (n_symbols, n_regressors), and R squared, (n_symbols,)."""
    of_symbol = design.mask_of_symbol
    cross = np.stack([(z[of_symbol] * dy.values).sum(axis=-1) for z in design.standardised], axis=1)
    penalised = design.moments + alpha * np.eye(len(design.standardised))
    weights = np.linalg.solve(penalised[of_symbol], cross[:, :, None])[:, :, 0]  # (n_symbols, n_regressors)
    residuals = dy.values.copy()
    for weight, z in zip(weights.T, design.standardised, strict=True):
        residuals -= weight[:, None] * z[of_symbol]
    total = np.where(dy.varies, dy.sum_squares, 1.0)
    return weights / design.scales[of_symbol], 1.0 - (residuals * residuals).sum(axis=-1) / total
