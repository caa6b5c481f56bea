"""Heterogeneous autoregression of squared returns: forecasts of volatility (methodology, 7; Corsi 2009)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.ratios import quantities
from services.risk.core.volatility import ReturnSeries
from shared.arrays import FloatArray, IntArray
from shared.conventions import HAR_HORIZONS, HAR_LAGS, HAR_MIN_OBSERVATIONS, SESSIONS_PER_YEAR
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_LONGEST: Final = max(HAR_LAGS)
# Below this part of the diagonal a pivot of the standardised moments is rounding.
_SINGULAR: Final = 1e-10

NO_VARIATION: Final = Unavailable(Reason.DEGENERATE_INPUT, "squared returns do not vary enough for a regression")
NOT_POSITIVE: Final = Unavailable(Reason.DEGENERATE_INPUT, "the forecast of the variance is not positive")
BEYOND: Final = Unavailable(Reason.DEGENERATE_INPUT, "the forecast goes beyond every squared return of the series")


@dataclass(frozen=True, slots=True)
class HarForecast:
    """One regression per portfolio.

    `volatility` (n_portfolios, n_horizons) are the annualised forecasts over HAR_HORIZONS, `floored` (n_portfolios,) of
    how many sessions of the longest the forecast is the floor, `r_squared` (n_portfolios,) that of the regression in
    sample; `coefficients` (n_portfolios, 4): intercept, day, week, month; NaN where there is no forecast.
    `observations` (n_portfolios,) are the rows of the regression.
    """

    volatility: Quantities
    floored: Quantities
    r_squared: Quantities
    coefficients: FloatArray
    observations: IntArray


def har_forecast(series: ReturnSeries) -> HarForecast:
    """Regress tomorrow's squared return on the last one and the means of the last 5 and 21, and iterate forward.

    Parameters
    ----------
    series : ReturnSeries
        At least HAR_MIN_OBSERVATIONS returns per portfolio.

    Returns
    -------
    HarForecast
        `INSUFFICIENT_HISTORY` with the count, `DEGENERATE_INPUT` where the regressors do not vary or the forecast is
        not positive, and over the horizons within which it exceeds the largest squared return: after a jump the line is
        often steeper than one, and what is iterated along it grows without bound. Else the root of 252 times the mean
        of the forecasts of the next sessions, each from the ones before it, and none below the smallest mean over 21
        sessions that the series has.

    Notes
    -----
    Ordinary least squares on standardised regressors, all portfolios at once; NaN before a series' length is no row.
    """
    reasons = series.unavailable.copy()
    for portfolio in np.flatnonzero(is_available(reasons) & (series.length < HAR_MIN_OBSERVATIONS)):
        detail = f"{series.length[portfolio]} of {HAR_MIN_OBSERVATIONS} returns"
        reasons[portfolio] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)

    squared = series.values * series.values
    lagged = _lagged_means(squared)  # (n_portfolios, n_rows + 1, 3); the last row is today's
    coefficients, r_squared, n_rows = least_squares(lagged[:, :-1], squared[:, _LONGEST:])
    flat = np.isnan(coefficients).any(axis=1) & is_available(reasons)
    reasons[flat] = NO_VARIATION
    months = lagged[..., -1]
    floor = np.where(np.isnan(months), np.inf, months).min(axis=1)
    ceiling = np.where(np.isnan(squared), 0.0, squared).max(axis=1)
    path, floored, beyond = _iterate(coefficients, squared[:, -_LONGEST:], floor, ceiling)
    mean = np.stack([path[:, :horizon].sum(axis=1) / horizon for horizon in HAR_HORIZONS], axis=1)
    reasons[(mean <= 0).any(axis=1) & is_available(reasons)] = NOT_POSITIVE

    available = is_available(reasons)
    over = np.repeat(reasons[:, None], len(HAR_HORIZONS), axis=1)
    over[available[:, None] & (beyond[:, None] < HAR_HORIZONS)] = BEYOND
    return HarForecast(
        volatility=quantities(np.sqrt(np.maximum(mean, 0.0) * SESSIONS_PER_YEAR), over),
        floored=quantities(floored, over[:, -1]),
        r_squared=quantities(r_squared, reasons),
        coefficients=np.where(available[:, None], coefficients, np.nan),
        observations=np.where(available, n_rows, 0),
    )


def _lagged_means(squared: FloatArray) -> FloatArray:
    """Return the mean squared return over each lag, from the first session that has the longest one."""
    stretches = np.lib.stride_tricks.sliding_window_view(squared, _LONGEST, axis=1)
    return np.stack([stretches[..., -lag:].sum(axis=-1) / lag for lag in HAR_LAGS], axis=-1)


def least_squares(regressors: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Regress the target of each portfolio on its own three regressors, with intercept.

    Parameters
    ----------
    regressors : ndarray of shape (n_portfolios, n_rows, len(HAR_LAGS))
    target : ndarray of shape (n_portfolios, n_rows)
        A row with a NaN on either side is left out.

    Returns
    -------
    coefficients : ndarray of shape (n_portfolios, 1 + len(HAR_LAGS))
        The intercept first; NaN where the regressors do not vary independently.
    r_squared : ndarray of shape (n_portfolios,)
    n_rows : ndarray of int64, shape (n_portfolios,)
    """
    present = np.isfinite(regressors).all(axis=-1) & np.isfinite(target)
    rows = np.maximum(present.sum(axis=1), 1)
    x = np.where(present[..., None], regressors, 0.0).transpose(0, 2, 1).copy()  # (n, 3, rows): contiguous sums
    y = np.where(present, target, 0.0)
    x_mean, y_mean = x.sum(axis=-1) / rows[:, None], y.sum(axis=-1) / rows
    x = np.where(present[:, None], x - x_mean[..., None], 0.0)
    y = np.where(present, y - y_mean[:, None], 0.0)
    scale = np.sqrt((x * x).sum(axis=-1))
    usable = (scale > 0).all(axis=1)
    x /= np.where(scale > 0, scale, 1.0)[..., None]
    moments = (x[:, :, None] * x[:, None]).sum(axis=-1)
    usable &= np.linalg.eigvalsh(moments)[:, 0] > _SINGULAR
    moments[~usable] = np.eye(len(HAR_LAGS))
    solved = np.linalg.solve(moments, (x * y[:, None]).sum(axis=-1)[..., None])[..., 0]
    residual = y - (x * solved[..., None]).sum(axis=1)
    total = (y * y).sum(axis=-1)
    usable &= total > 0
    r_squared = 1.0 - np.divide((residual * residual).sum(axis=-1), total, out=np.zeros_like(total), where=total > 0)
    slopes = solved / np.where(scale > 0, scale, 1.0)
    intercept = y_mean - (slopes * x_mean).sum(axis=-1)
    coefficients = np.where(usable[:, None], np.column_stack([intercept, slopes]), np.nan)
    return coefficients, r_squared, present.sum(axis=1)


def _iterate(
    coefficients: FloatArray, recent: FloatArray, floor: FloatArray, ceiling: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return the next forecasts, (n, max(HAR_HORIZONS)), how many are the floor and how many are below the ceiling.

    Counted are, (n,) each, those at the floor and those before the first one beyond the ceiling.
    """
    ahead = max(HAR_HORIZONS)
    path = np.concatenate([recent, np.empty((recent.shape[0], ahead))], axis=1)
    floored = np.zeros(len(path))
    beyond = np.full(len(path), ahead)
    for session in range(_LONGEST, path.shape[1]):
        forecast = coefficients[:, 0].copy()
        for lag, coefficient in zip(HAR_LAGS, coefficients.T[1:], strict=True):
            forecast += coefficient * (path[:, session - lag : session].sum(axis=-1) / lag)
        floored += forecast < floor
        beyond = np.where(forecast > ceiling, np.minimum(beyond, session - _LONGEST), beyond)
        # Cut off, so that what grows without bound ends in a reason and not in infinity.
        path[:, session] = np.minimum(np.maximum(forecast, floor), ceiling)
    return path[:, _LONGEST:], floored, beyond
