import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from services.symbol_analytics.core.ols import LineFits, fit_lines
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable

STATISTICS = ("betas", "intercepts", "r_squared", "std_errors", "p_values", "capped")


def gappy_returns(n_symbols: int, n_sessions: int, *, gaps: float, seed: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0004, 0.01, n_sessions)
    y = rng.uniform(-2.0, 3.0, (n_symbols, 1)) * x + rng.normal(0.0, 0.012, (n_symbols, n_sessions))
    y[rng.random(y.shape) < gaps] = np.nan
    x[rng.random(n_sessions) < gaps] = np.nan
    return y, x


def same_bits(whole: LineFits, part: LineFits, chosen: list[int]) -> bool:
    return all(
        np.array_equal(getattr(whole, name)[chosen], getattr(part, name), equal_nan=name != "capped")
        for name in STATISTICS
    ) and np.array_equal(whole.rows.mask[chosen], part.rows.mask)


def test_line_through_three_points_matches_the_hand_worked_fit() -> None:
    # x = 0, 1, 2; y = 1, 2, 4 (in percent): slope 1.5, intercept 5/6, residuals 1/6, -1/3, 1/6,
    # SSR = 1/6, SST = 14/3, R2 = 27/28, se = sqrt(1/6 / 1 / 2) = 0.288675
    fit = fit_lines(np.array([[0.01, 0.02, 0.04]]), np.array([0.0, 0.01, 0.02]), min_observations=3)
    assert fit.betas[0] == pytest.approx(1.5, rel=1e-12)
    assert fit.intercepts[0] == pytest.approx(0.05 / 6.0, rel=1e-12)
    assert fit.r_squared[0] == pytest.approx(27.0 / 28.0, rel=1e-12)
    assert fit.std_errors[0] == pytest.approx(np.sqrt(1.0 / 12.0), rel=1e-12)
    # one degree of freedom: p = 1 - 2 atan(t) / pi
    assert fit.p_values[0] == pytest.approx(1.0 - 2.0 * np.arctan(1.5 / np.sqrt(1.0 / 12.0)) / np.pi, rel=1e-10)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_lines_with_random_gaps_match_statsmodels_and_linregress(gaps: float) -> None:
    y, x = gappy_returns(20, 90, gaps=gaps, seed=11)
    fits = fit_lines(y, x, min_observations=30)
    for i, row in enumerate(y):
        used = ~np.isnan(row) & ~np.isnan(x)
        oracle = OLS(row[used], add_constant(x[used])).fit()
        line = stats.linregress(x[used], row[used])
        ours = [getattr(fits, name)[i] for name in ("intercepts", "betas", "std_errors", "p_values", "r_squared")]
        theirs = [*oracle.params, oracle.bse[1], oracle.pvalues[1], oracle.rsquared]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(
            ours, [line.intercept, line.slope, line.stderr, line.pvalue, line.rvalue**2], rtol=1e-9, atol=1e-14
        )
        assert fits.rows.n_observations[i] == used.sum()
        assert (fits.rows.first[i], fits.rows.last[i]) == (np.flatnonzero(used)[0], np.flatnonzero(used)[-1])


def test_slope_is_covariance_over_variance() -> None:
    y, x = gappy_returns(4, 60, gaps=0.0, seed=3)
    expected = [np.cov(row, x)[0, 1] / np.var(x, ddof=1) for row in y]
    np.testing.assert_allclose(fit_lines(y, x, min_observations=30).betas, expected, rtol=1e-12)


def test_regressor_on_itself_has_beta_one_exactly() -> None:
    _, x = gappy_returns(1, 90, gaps=0.1, seed=5)
    fit = fit_lines(x[None], x, min_observations=30)
    assert (fit.betas[0], fit.r_squared[0], fit.std_errors[0], fit.p_values[0]) == (1.0, 1.0, 0.0, 0.0)


def test_known_beta_is_recovered_within_its_standard_error() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(0.0, 0.01, 5000)
    y = 0.0001 + 1.3 * x + rng.normal(0.0, 0.01, (200, 5000))
    fits = fit_lines(y, x, min_observations=30)
    z = (fits.betas - 1.3) / fits.std_errors
    assert abs(z.mean()) < 0.3
    assert 0.85 < z.std() < 1.15


@pytest.mark.parametrize(("present", "available"), [(29, False), (30, True)])
def test_minimum_of_observations_is_inclusive(present: int, available: bool) -> None:
    y, x = gappy_returns(1, 90, gaps=0.0, seed=1)
    y[0, : 90 - present] = np.nan
    fit = fit_lines(y, x, min_observations=30)
    assert (fit.unavailable[0] is None) is available
    assert np.isfinite(fit.betas[0]) == available
    assert fit.rows.n_observations[0] == present
    if not available:
        assert fit.unavailable[0] == Unavailable(Reason.INSUFFICIENT_HISTORY, "29 of 30 sessions")


@pytest.mark.parametrize(
    ("slope", "beta", "capped"), [(5.0, 5.0, False), (5.0625, 5.0, True), (-5.0, -5.0, False), (-8.0, -5.0, True)]
)
def test_cap_binds_only_beyond_five(slope: float, beta: float, capped: bool) -> None:
    x = np.tile([0.0078125, -0.0078125], 20)  # powers of two: nothing is rounded
    fit = fit_lines(slope * x[None], x, min_observations=30)
    assert (fit.betas[0], bool(fit.capped[0])) == (beta, capped)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_symbol_that_does_not_vary_is_degenerate(constant: float) -> None:
    _, x = gappy_returns(1, 60, gaps=0.0, seed=1)
    fit = fit_lines(np.full((1, 60), constant), x, min_observations=30)
    assert fit.unavailable[0] == Unavailable(
        Reason.DEGENERATE_INPUT, "the symbol's returns do not vary over 60 sessions"
    )
    assert np.isnan([fit.betas[0], fit.r_squared[0], fit.std_errors[0], fit.p_values[0], fit.intercepts[0]]).all()


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_regressor_that_does_not_vary_is_degenerate(constant: float) -> None:
    y, _ = gappy_returns(1, 60, gaps=0.0, seed=1)
    fit = fit_lines(y, np.full(60, constant), min_observations=30)
    assert fit.unavailable[0] == Unavailable(Reason.DEGENERATE_INPUT, "a regressor does not vary over 60 sessions")


def test_price_growing_at_a_constant_rate_is_degenerate_despite_rounding() -> None:
    _, x = gappy_returns(1, 60, gaps=0.0, seed=1)
    prices = 100.0 * 1.0003 ** np.arange(61.0)
    returns = prices[1:] / prices[:-1] - 1.0
    assert np.ptp(returns) > 0.0
    fit = fit_lines(returns[None], x, min_observations=30)
    assert fit.unavailable[0].reason == Reason.DEGENERATE_INPUT


@pytest.mark.parametrize("where", ["symbol", "regressor"])
def test_defect_q6_infinite_input_is_rejected(where: str) -> None:
    y, x = gappy_returns(2, 60, gaps=0.0, seed=1)
    (y[0] if where == "symbol" else x)[3] = np.inf
    with pytest.raises(ValueError, match="finite or missing"):
        fit_lines(y, x, min_observations=30)


def test_regressor_of_another_length_is_rejected() -> None:
    y, x = gappy_returns(2, 60, gaps=0.0, seed=1)
    with pytest.raises(ValueError, match="must have 60 sessions, was 59"):
        fit_lines(y, x[1:], min_observations=30)


def test_fewer_than_three_observations_are_no_valid_minimum() -> None:
    y, x = gappy_returns(2, 60, gaps=0.0, seed=1)
    with pytest.raises(ValueError, match="at least 3, was 2"):
        fit_lines(y, x, min_observations=2)


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_defect_q1_batch_mates_do_not_change_a_bit_of_a_line(seed: int, data: st.DataObject) -> None:
    n_symbols = data.draw(st.integers(1, 40))
    y, x = gappy_returns(n_symbols, data.draw(st.integers(31, 130)), gaps=0.1, seed=seed)
    chosen = data.draw(st.lists(st.integers(0, n_symbols - 1), min_size=1, max_size=60))
    whole = fit_lines(y, x, min_observations=20)
    assert same_bits(whole, fit_lines(y[chosen], x, min_observations=20), chosen)
    assert same_bits(whole, fit_lines(np.asfortranarray(y)[chosen[:1]], x, min_observations=20), chosen[:1])


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-6, 1))
def test_scaling_a_symbol_scales_its_beta_and_keeps_r_squared_and_p(seed: int, power: int) -> None:
    y, x = gappy_returns(3, 60, gaps=0.1, seed=seed)
    base = fit_lines(y, x, min_observations=20, cap=1e9)
    scaled = fit_lines(y * 2.0**power, x, min_observations=20, cap=1e9)
    assert np.array_equal(scaled.betas, base.betas * 2.0**power)
    assert np.array_equal(scaled.r_squared, base.r_squared)
    assert np.array_equal(scaled.p_values, base.p_values)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-0.05, 0.05))
def test_shifting_a_symbol_moves_only_its_intercept(seed: int, shift: float) -> None:
    y, x = gappy_returns(3, 60, gaps=0.1, seed=seed)
    base, shifted = fit_lines(y, x, min_observations=20), fit_lines(y + shift, x, min_observations=20)
    np.testing.assert_allclose(shifted.betas, base.betas, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(shifted.intercepts, base.intercepts + shift, rtol=1e-9, atol=1e-13)
