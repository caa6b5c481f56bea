"""Return series of portfolios, written down or drawn."""

import numpy as np
import pandas as pd

from services.risk.core.har import least_squares
from services.risk.core.volatility import ReturnSeries
from shared.arrays import FloatArray
from shared.unavailable import Quantities


def series_of(*rows: FloatArray) -> ReturnSeries:
    """Return one portfolio per row, right-aligned, all of it covered."""
    width = max(len(row) for row in rows)
    values = np.full((len(rows), width), np.nan)
    for index, row in enumerate(rows):
        values[index, width - len(row) :] = row
    return ReturnSeries(
        values,
        np.array([len(row) for row in rows]),
        np.full(len(rows), None, dtype=object),
        Quantities.of(np.ones(len(rows))),
        np.ones(len(rows), dtype=np.bool_),
    )


def har_path(n: int, *, seed: int, coefficients: tuple[float, float, float, float]) -> FloatArray:
    """Return returns whose squares follow the regression, with a random sign and a multiplicative shock."""
    rng = np.random.default_rng(seed)
    squared = list(np.full(21, 1e-4))
    intercept, day, week, month = coefficients
    for _ in range(n):
        level = intercept + day * squared[-1] + week * sum(squared[-5:]) / 5 + month * sum(squared[-21:]) / 21
        squared.append(level * rng.uniform(0.5, 1.5))
    returns: FloatArray = np.sqrt(squared[21:]) * rng.choice([-1.0, 1.0], n)
    return returns


def components(values: FloatArray) -> FloatArray:
    """Return the predecessor's regressors, annualised: |r| and the deviations of 5 and 21, (n, n_sessions, 3)."""
    day = np.abs(values)
    month = pd.DataFrame(values.T).rolling(21).std().to_numpy().T
    week = pd.DataFrame(values.T).rolling(5).std().to_numpy().T
    annualised: FloatArray = np.stack([day, week, month], axis=-1) * np.sqrt(252)
    return annualised


def next_day_forecast(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the predecessor's forecast, of the absolute return of the next session, and its R squared."""
    regressors = components(values)
    coefficients, r_squared, _ = least_squares(regressors[:, 20:-1], regressors[:, 21:, 0])
    today = np.concatenate([np.ones((len(values), 1)), regressors[:, -1]], axis=1)
    return (coefficients * today).sum(axis=1), r_squared
