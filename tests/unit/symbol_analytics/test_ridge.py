import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from services.symbol_analytics.core.ols import fit_lines
from services.symbol_analytics.core.ridge import BLOCK, fit_ridges
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable


def factor_world(
    n_symbols: int, n_sessions: int, *, gaps: float, seed: int, n_factors: int = 6
) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    x = 0.8 * rng.normal(0.0, 0.01, n_sessions) + rng.normal(0.0, 0.006, (n_factors, n_sessions))
    y = rng.uniform(-1.0, 1.0, (n_symbols, n_factors)) @ x + rng.normal(0.0, 0.01, (n_symbols, n_sessions))
    y[rng.random(y.shape) < gaps] = np.nan
    x[rng.random(x.shape) < gaps / n_factors] = np.nan
    return y, x


@pytest.mark.parametrize(("gaps", "alpha"), [(0.0, 1.0), (0.15, 1.0), (0.15, 7.5)])
def test_ridge_with_random_gaps_matches_scikit_learn(gaps: float, alpha: float) -> None:
    y, x = factor_world(25, 150, gaps=gaps, seed=4)
    fits = fit_ridges(y, x, min_observations=60, alpha=alpha, cap=1e9)
    for i, row in enumerate(y):
        used = ~np.isnan(row) & ~np.isnan(x).any(axis=0)
        scaler = StandardScaler().fit(x[:, used].T)
        z = scaler.transform(x[:, used].T)
        oracle = Ridge(alpha=alpha).fit(z, row[used])
        np.testing.assert_allclose(fits.betas[i], oracle.coef_ / scaler.scale_, rtol=1e-9, atol=1e-12)
        assert fits.r_squared[i] == pytest.approx(oracle.score(z, row[used]), rel=1e-10)
        assert fits.rows.n_observations[i] == used.sum()
        assert (fits.rows.first[i], fits.rows.last[i]) == (np.flatnonzero(used)[0], np.flatnonzero(used)[-1])


def test_ridge_on_one_regressor_shrinks_the_line_by_n_over_n_plus_one() -> None:
    y, x = factor_world(4, 80, gaps=0.0, seed=9, n_factors=1)
    expected = fit_lines(y, x[0], min_observations=60).betas * 80.0 / 81.0
    np.testing.assert_allclose(fit_ridges(y, x, min_observations=60).betas[:, 0], expected, rtol=1e-12)


def test_ridge_on_orthogonal_regressors_matches_the_hand_worked_solution() -> None:
    # Two orthogonal regressors of +-1 % over 4 sessions, y = 2 x1 - 1 x2 + 3 %. Each has n = 4 on the diagonal of Z'Z,
    # so the coefficients are 4/5 of 2 and -1; SST = 4 * (4 + 1), SSR = (1/5)^2 SST.
    x = np.array([[0.01, 0.01, -0.01, -0.01], [0.01, -0.01, 0.01, -0.01]])
    fit = fit_ridges((2.0 * x[0] - x[1] + 0.03)[None], x, min_observations=4)
    np.testing.assert_allclose(fit.betas[0], [1.6, -0.8], rtol=1e-12)
    assert fit.r_squared[0] == pytest.approx(0.96, rel=1e-12)


def test_known_loadings_are_recovered_from_a_long_history() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(0.0, 0.01, (6, 20_000))
    loadings = np.array([0.9, -0.4, 0.2, 0.0, 1.1, -1.5])
    y = loadings @ x + rng.normal(0.0, 0.005, 20_000)
    np.testing.assert_allclose(fit_ridges(y[None], x, min_observations=60).betas[0], loadings, atol=0.02)


def test_identical_regressors_share_the_loading_instead_of_failing() -> None:
    y, x = factor_world(1, 120, gaps=0.0, seed=6, n_factors=1)
    fit = fit_ridges(y, np.vstack([x, x]), min_observations=60)
    assert fit.unavailable[0] is None
    assert fit.betas[0, 0] == pytest.approx(fit.betas[0, 1], rel=1e-9)


@pytest.mark.parametrize(("present", "available"), [(59, False), (60, True)])
def test_minimum_of_observations_is_inclusive(present: int, available: bool) -> None:
    y, x = factor_world(1, 252, gaps=0.0, seed=1)
    y[0, :-present] = np.nan
    fit = fit_ridges(y, x, min_observations=60)
    assert fit.rows.n_observations[0] == present
    assert np.isfinite(fit.betas[0]).all() == available
    expected = None if available else Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions")
    assert fit.unavailable[0] == expected


@pytest.mark.parametrize(("slope", "beta", "capped"), [(6.25, 5.0, False), (-6.25, -5.0, False), (6.5, 5.0, True)])
def test_cap_binds_only_beyond_five(slope: float, beta: float, capped: bool) -> None:
    # n = 64 and alpha = 16 shrink by exactly 4/5, and every number is a power of two times a small integer.
    x = np.tile([0.0078125, -0.0078125], 32)
    fit = fit_ridges(slope * x[None], x[None], min_observations=60, alpha=16.0)
    assert (fit.betas[0, 0], bool(fit.capped[0, 0])) == (beta, capped)


def test_symbol_that_does_not_vary_is_degenerate_and_leaves_the_others() -> None:
    y, x = factor_world(3, 100, gaps=0.0, seed=1)
    y[1] = 0.001
    fit = fit_ridges(y, x, min_observations=60)
    assert fit.unavailable.tolist() == [
        None,
        Unavailable(Reason.DEGENERATE_INPUT, "the symbol's returns do not vary over 100 sessions"),
        None,
    ]
    assert np.isnan(fit.betas[1]).all()
    assert np.isfinite(fit.betas[[0, 2]]).all()


def test_regressor_that_does_not_vary_is_degenerate() -> None:
    y, x = factor_world(2, 100, gaps=0.0, seed=1)
    x[4] = 0.0
    fit = fit_ridges(y, x, min_observations=60)
    assert {why.reason for why in fit.unavailable} == {Reason.DEGENERATE_INPUT}


def test_symbol_without_any_return_has_no_rows() -> None:
    y, x = factor_world(2, 100, gaps=0.0, seed=1)
    y[0] = np.nan
    fit = fit_ridges(y, x, min_observations=60)
    assert fit.unavailable[0] == Unavailable(Reason.INSUFFICIENT_HISTORY, "0 of 60 sessions")
    assert (fit.rows.first[0], fit.rows.last[0]) == (-1, -1)


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.inf, np.nan])
def test_penalty_that_is_not_positive_is_rejected(alpha: float) -> None:
    y, x = factor_world(1, 100, gaps=0.0, seed=1)
    with pytest.raises(ValueError, match="alpha must be positive"):
        fit_ridges(y, x, min_observations=60, alpha=alpha)


def test_infinite_return_is_rejected() -> None:
    y, x = factor_world(2, 100, gaps=0.0, seed=1)
    x[0, 0] = -np.inf
    with pytest.raises(ValueError, match="finite or missing"):
        fit_ridges(y, x, min_observations=60)


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_defect_q1_batch_mates_do_not_change_a_bit_of_a_ridge(seed: int, data: st.DataObject) -> None:
    n_symbols = data.draw(st.integers(1, 50))
    gaps = data.draw(st.sampled_from([0.0, 0.02, 0.15]))
    y, x = factor_world(n_symbols, data.draw(st.integers(60, 260)), gaps=gaps, seed=seed)
    chosen = data.draw(st.lists(st.integers(0, n_symbols - 1), min_size=1, max_size=80))
    whole, part = fit_ridges(y, x, min_observations=20), fit_ridges(y[chosen], x, min_observations=20)
    assert np.array_equal(whole.betas[chosen], part.betas, equal_nan=True)
    assert np.array_equal(whole.r_squared[chosen], part.r_squared, equal_nan=True)
    assert np.array_equal(whole.capped[chosen], part.capped)


def test_result_does_not_depend_on_the_block_a_symbol_falls_into() -> None:
    y, x = factor_world(2 * BLOCK + 5, 70, gaps=0.01, seed=12)
    y[: BLOCK // 2] = np.nan_to_num(y[: BLOCK // 2])  # half a block shares one set of rows
    whole = fit_ridges(y, x, min_observations=20)
    alone = [fit_ridges(y[i : i + 1], x, min_observations=20).betas[0] for i in range(0, len(y), 7)]
    assert np.array_equal(whole.betas[::7], np.stack(alone), equal_nan=True)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-4, 4))
def test_scaling_a_regressor_scales_only_its_own_beta_inversely(seed: int, power: int) -> None:
    y, x = factor_world(3, 90, gaps=0.05, seed=seed)
    scale = np.ones(6)
    scale[2] = 2.0**power
    base = fit_ridges(y, x, min_observations=20, cap=1e9)
    scaled = fit_ridges(y, x * scale[:, None], min_observations=20, cap=1e9)
    assert np.array_equal(scaled.betas, base.betas / scale)
    assert np.array_equal(scaled.r_squared, base.r_squared)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(6)))
def test_order_of_the_regressors_permutes_the_betas(seed: int, order: list[int]) -> None:
    y, x = factor_world(3, 90, gaps=0.05, seed=seed)
    base, permuted = (fit_ridges(y, regressors, min_observations=20) for regressors in (x, x[order]))
    np.testing.assert_allclose(permuted.betas, base.betas[:, order], rtol=1e-8, atol=1e-11)
