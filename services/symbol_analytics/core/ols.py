"""Least squares of many symbols on one regressor (methodology, 3: spreads, market beta, rate beta)."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from services.symbol_analytics.core.rows import (
    RowsUsed,
    checked_returns,
    deviations,
    refuse_overflow,
    rows_used,
    why_unavailable,
)
from shared.arrays import BoolArray, FloatArray, ReasonArray
from shared.conventions import BETA_CAP
from shared.unavailable import is_available


@dataclass(frozen=True, slots=True)
class LineFits:
    """One line per symbol; every number is NaN exactly where `unavailable` has an entry.

    Parameters
    ----------
    betas : ndarray of shape (n_symbols,)
        Slopes, limited to the cap.
    capped : ndarray of bool, shape (n_symbols,)
        True where the slope lay beyond the cap. The other numbers stay those of the fit as it was.
    intercepts, r_squared, std_errors, p_values : ndarray of shape (n_symbols,)
    rows : RowsUsed
    unavailable : ndarray of object, shape (n_symbols,)
        `Unavailable` or None.
    """

    betas: FloatArray
    capped: BoolArray
    intercepts: FloatArray
    r_squared: FloatArray
    std_errors: FloatArray
    p_values: FloatArray
    rows: RowsUsed
    unavailable: ReasonArray


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def fit_lines(
    returns: FloatArray,
    regressor: FloatArray,
    *,
    min_observations: int,
    cap: float = BETA_CAP,
    begun: BoolArray | None = None,
) -> LineFits:
    """Return the least-squares line of each symbol's returns on one regressor.

    Intercept included, homoskedastic standard errors, two-sided p-values of Student's t with n - 2 degrees of freedom.

    Parameters
    ----------
    returns : ndarray of shape (n_symbols, n_sessions)
        Simple returns, one row per symbol, oldest first; NaN where there is none.
    regressor : ndarray of shape (n_sessions,)
        Simple returns of the regressor on the same sessions; NaN where there is none.
    min_observations : int
        Fewer rows leave the symbol without, `INSUFFICIENT_HISTORY` or `MISSING_DATA`; at least 3.
    cap : float, default=BETA_CAP
        Slopes beyond are set to the cap and marked; exactly the cap is not beyond.
    begun : ndarray of bool, shape (n_symbols,), optional
        As of `rows_used`.

    Returns
    -------
    LineFits
        `DEGENERATE_INPUT` where the symbol or the regressor does not vary over the rows used, or a number is beyond the
        range of a float.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is infinite or `min_observations` is below 3.

    Notes
    -----
    NaN policy: pairwise; the number of rows is in the result. A symbol's numbers are the same bits whatever symbols
    it is fitted with. Complexity O(n_symbols * n_sessions).

    Examples
    --------
    >>> fit = fit_lines(np.array([[0.01, 0.03, -0.01]]), np.array([0.0, 0.01, -0.01]), min_observations=3)
    >>> fit.betas.round(12).tolist(), fit.intercepts.round(12).tolist()
    ([2.0], [0.01])
    """
    if min_observations < 3:
        raise ValueError(f"min_observations must be at least 3, was {min_observations}")
    y = checked_returns(returns)  # (n_symbols, n_sessions)
    x = checked_returns(np.atleast_2d(regressor), n_sessions=y.shape[1])[0]  # (n_sessions,)
    rows = rows_used(y, x[None], begun=begun)
    dx, dy = deviations(x, rows.mask), deviations(y, rows.mask)
    unavailable = why_unavailable(
        rows.n_observations,
        rows.n_lived,
        min_observations=min_observations,
        symbol_varies=dy.varies,
        regressors_vary=dx.varies,
    )
    fitted = is_available(unavailable)
    sum_xx, sum_yy = np.where(fitted, dx.sum_squares, np.nan), np.where(fitted, dy.sum_squares, np.nan)
    slopes = (dx.values * dy.values).sum(axis=-1) / sum_xx
    residuals = dy.values - slopes[:, None] * dx.values
    sum_residuals = (residuals * residuals).sum(axis=-1)
    freedom = np.where(fitted, rows.n_observations - 2, np.nan)
    std_errors = np.sqrt(sum_residuals / freedom / sum_xx)
    numbers = np.stack(
        [
            slopes,
            dy.mean - slopes * dx.mean,
            1.0 - sum_residuals / sum_yy,
            std_errors,
            _p_values(slopes, std_errors, freedom),
        ]
    )
    slopes, intercepts, r_squared, std_errors, p_values = np.where(
        refuse_overflow(unavailable, *numbers), numbers, np.nan
    )
    return LineFits(
        betas=np.clip(slopes, -cap, cap),
        capped=np.abs(slopes) > cap,
        intercepts=intercepts,
        r_squared=r_squared,
        std_errors=std_errors,
        p_values=p_values,
        rows=rows,
        unavailable=unavailable,
    )


def _p_values(slopes: FloatArray, std_errors: FloatArray, freedom: FloatArray) -> FloatArray:
    exact = std_errors == 0.0  # no residual at all: t is infinite
    t = np.where(exact, np.inf, np.abs(slopes) / np.where(exact, 1.0, std_errors))
    p_values: FloatArray = 2.0 * special.stdtr(freedom, -t)
    return p_values
