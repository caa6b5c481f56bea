"""The vectors that the predecessor's own regression functions gave on closed-form series."""

import numpy as np
import pytest

from services.symbol_analytics.core.ols import fit_lines
from services.symbol_analytics.core.ridge import fit_ridges
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable

STORED = 6e-9  # eight decimals


def factor_returns(n: int) -> FloatArray:
    t = np.arange(1.0, n + 1.0)
    return np.stack([0.010 * np.sin(0.7 * t + 0.3 * k) + 0.004 * np.cos((1.1 + 0.2 * k) * t) for k in range(6)])


def symbol_returns(n: int) -> FloatArray:
    f = factor_returns(n)
    symbol: FloatArray = 0.0005 + 0.8 * f[0] - 0.3 * f[3] + 0.006 * np.sin(2.3 * np.arange(1.0, n + 1.0))
    return symbol[None]


@pytest.mark.parametrize(
    ("n", "alpha", "betas", "r_squared"),
    [
        (60, 1.0, [0.74938150, 0.02664369, 0.01784343, -0.26331145, -0.00854702, -0.02474418], 0.61113606),
        (60, 0.1, [0.79471748, 0.00624637, 0.00726379, -0.29061537, 0.00192945, -0.00499672], 0.61206068),
        (60, 10.0, [0.52150773, 0.11215695, 0.06315413, -0.13250746, -0.04988731, -0.10436789], 0.58319944),
        (30, 1.0, [0.70161998, 0.03907339, 0.02178564, -0.24200477, -0.01383804, -0.03016262], 0.60370248),
    ],
)
def test_ridge_on_the_golden_series_gives_the_recorded_betas(
    n: int, alpha: float, betas: list[float], r_squared: float
) -> None:
    fit = fit_ridges(symbol_returns(n), factor_returns(n), min_observations=30, alpha=alpha)
    np.testing.assert_allclose(fit.betas[0], betas, rtol=0.0, atol=STORED)
    assert fit.r_squared[0] == pytest.approx(r_squared, abs=STORED)
    assert fit.rows.n_observations.tolist() == [n]


def test_ridge_on_29_golden_sessions_is_unavailable() -> None:
    fit = fit_ridges(symbol_returns(29), factor_returns(29), min_observations=30)
    assert fit.unavailable[0] == Unavailable(Reason.INSUFFICIENT_HISTORY, "29 of 30 sessions")


def test_line_on_the_golden_series_gives_the_recorded_fit() -> None:
    fit = fit_lines(symbol_returns(60), factor_returns(60)[0], min_observations=30)
    assert fit.betas[0] == pytest.approx(0.65402577, abs=STORED)
    assert fit.intercepts[0] == pytest.approx(0.00054622, abs=STORED)
    assert fit.r_squared[0] == pytest.approx(0.53769476, abs=STORED)
    assert fit.std_errors[0] == pytest.approx(0.07963012, abs=STORED)


def test_line_beyond_the_cap_keeps_the_statistics_of_its_fit() -> None:
    steep = 8.0 * factor_returns(60)[0] + 0.001 * np.cos(np.arange(1.0, 61.0))
    fit = fit_lines(steep[None], factor_returns(60)[0], min_observations=30)
    assert fit.betas[0] == 5.0
    assert fit.capped[0]
    assert fit.r_squared[0] == pytest.approx(0.99986553, abs=STORED)
    assert fit.std_errors[0] == pytest.approx(0.01218003, abs=STORED)
    uncapped = fit_lines(steep[None], factor_returns(60)[0], min_observations=30, cap=10.0)
    assert uncapped.betas[0] == pytest.approx(7.99869515, abs=STORED)


def test_lines_on_the_golden_spreads_give_the_recorded_betas() -> None:
    t = np.arange(1.0, 81.0)
    spreads = [0.004 * np.sin((0.5 + 0.25 * k) * t + 0.2 * k) for k in range(4)]
    fits = [fit_lines(symbol_returns(80), spread, min_observations=60) for spread in spreads]
    betas = [fit.betas[0] for fit in fits]
    r_squared = [fit.r_squared[0] for fit in fits]
    np.testing.assert_allclose(betas, [0.01495352, -0.69510619, -0.13359903, 0.03502938], rtol=0.0, atol=STORED)
    np.testing.assert_allclose(r_squared, [0.00003997, 0.08500446, 0.00319215, 0.00021578], rtol=0.0, atol=STORED)
    assert np.mean(r_squared) == pytest.approx(0.02211309, abs=STORED)
