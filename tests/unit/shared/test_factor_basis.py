"""The orthogonal factors: by hand, against NumPy's least squares, and what has no basis."""

import numpy as np
import pytest

from shared.arrays import FloatArray
from shared.conventions import FACTOR_MIN_OBSERVATIONS, RISK_FACTORS
from shared.factor_basis import FactorBasis, factor_basis
from shared.unavailable import Reason, Unavailable

EVERY = np.ones(len(RISK_FACTORS), dtype=np.bool_)


def proxies(*, seed: int = 3, n: int = 252) -> FloatArray:
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0004, 0.01, n)
    styles = 0.95 * market + rng.normal(0, 0.004, (6, n)) + rng.normal(0, 0.002, n)
    rate = -0.2 * market + 0.3 * styles[2] + rng.normal(0, 0.007, n)
    return np.vstack([market, styles, rate])


def basis_of(returns: FloatArray, configured: np.ndarray = EVERY) -> FactorBasis:
    found = factor_basis(returns, configured)
    assert isinstance(found, FactorBasis)
    return found


def test_style_beside_the_market_by_hand() -> None:
    # Alternating market of 2 and -1 %, mean 0.5 %; value is 0.1 % + half of it + 0.3 % on every second pair.
    market = np.tile([0.02, -0.01], 60)
    own = np.repeat(np.tile([0.003, -0.003], 30), 2)
    returns = np.full((8, 120), np.nan)
    returns[0], returns[1] = market, 0.001 + 0.5 * market + own

    found = basis_of(returns, np.arange(8) < 2)

    np.testing.assert_array_equal(found.factors[0], market)
    np.testing.assert_allclose(found.factors[1], own, rtol=1e-12)
    np.testing.assert_allclose(found.proxies[1], [0.5, 1, 0, 0, 0, 0, 0, 0], rtol=1e-12)
    assert np.isnan(found.factors[2:]).all()


def test_factors_are_the_residuals_of_numpys_least_squares() -> None:
    returns = proxies()

    found = basis_of(returns)

    one = np.ones(252)
    for style in range(1, 7):
        x = np.column_stack([one, returns[0]])
        slope = np.linalg.lstsq(x, returns[style], rcond=None)[0]
        np.testing.assert_allclose(found.factors[style], returns[style] - x @ slope, atol=1e-15)
        assert found.proxies[style, 0] == pytest.approx(slope[1], rel=1e-10)
    x = np.column_stack([one, *returns[:7]])
    rest = returns[7] - x @ np.linalg.lstsq(x, returns[7], rcond=None)[0]
    np.testing.assert_allclose(found.factors[7], rest, atol=1e-15)


def test_proxies_are_put_together_again_from_the_factors() -> None:
    returns = proxies()

    found = basis_of(returns)

    left = returns - found.proxies @ found.factors
    np.testing.assert_allclose(left - left.mean(axis=1, keepdims=True), 0.0, atol=1e-15)


def test_session_without_a_proxy_is_no_row_and_the_others_stay() -> None:
    returns = proxies()
    returns[3, 100], returns[0, 5] = np.nan, np.inf

    found = basis_of(returns)

    assert np.flatnonzero(~found.rows).tolist() == [5, 100]
    kept = basis_of(np.delete(returns, [5, 100], axis=1))
    np.testing.assert_array_equal(found.factors[:, found.rows], kept.factors)


def test_too_few_common_sessions_are_counted() -> None:
    returns = proxies()
    returns[7, : 252 - FACTOR_MIN_OBSERVATIONS + 1] = np.nan

    assert factor_basis(returns, EVERY) == Unavailable(
        Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions have a return of every proxy"
    )


@pytest.mark.parametrize(
    ("row", "like", "detail"),
    [
        (0, None, "the proxies of market add no variation"),
        (5, 0, "the proxies of size add no variation"),
        (7, 2, "the proxies of rate add no variation"),
        (4, 3, "the proxies are collinear"),
    ],
)
def test_proxy_that_adds_nothing_is_degenerate(row: int, like: int | None, detail: str) -> None:
    returns = proxies()
    returns[row] = 0.001 if like is None else returns[like]

    assert factor_basis(returns, EVERY) == Unavailable(Reason.DEGENERATE_INPUT, detail)
