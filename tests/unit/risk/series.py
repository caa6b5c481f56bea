"""Return series of portfolios, written down or drawn."""

import numpy as np

from services.risk.core.volatility import ReturnSeries
from shared.unavailable import FloatArray, Quantities


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
        Quantities.available(np.ones(len(rows))),
    )


def har_path(n: int, *, seed: int, coefficients: tuple[float, float, float, float]) -> FloatArray:
    """Return returns whose absolute values follow the regression, with a random sign and a multiplicative shock."""
    rng = np.random.default_rng(seed)
    absolute = list(np.full(21, 0.01))
    intercept, day, week, month = coefficients
    for _ in range(n):
        level = intercept + day * absolute[-1] + week * np.mean(absolute[-5:]) + month * np.mean(absolute[-21:])
        absolute.append(level * rng.uniform(0.5, 1.5))
    returns: FloatArray = np.array(absolute[21:]) * rng.choice([-1.0, 1.0], n)
    return returns
