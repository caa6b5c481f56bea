"""VaR and ES by hand, against plain loops and scipy, and on simulated truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.risk.core.tails import compounded, empirical_tail, tail_risk, var_rank
from services.risk.core.volatility import ReturnSeries
from shared.conventions import HAR_HORIZONS
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.series import series_of

NO_FORECAST = Unavailable(Reason.DEGENERATE_INPUT, "no forecast")


def _forecast(*annual: float) -> Quantities:
    """Return the same volatility over every horizon, one a portfolio."""
    return Quantities.of(np.repeat(np.array(annual)[:, None], len(HAR_HORIZONS), axis=1))


def _without_forecast(series: ReturnSeries) -> Quantities:
    return Quantities.unavailable_everywhere((series.length.size, len(HAR_HORIZONS)), NO_FORECAST)


@pytest.mark.parametrize(
    ("n", "level", "expected"),
    [
        (99, 95, (5, 0.0)),
        (99, 99, (1, 0.0)),
        (252, 95, (12, 0.65)),
        (252, 99, (2, 0.53)),
        (63, 95, (3, 0.2)),
        (98, 99, (0, 0.99)),
    ],
)
def test_rank_is_the_unbiased_position_exact_in_integers(n: int, level: int, expected: tuple[int, float]) -> None:
    assert var_rank(n, level) == expected


def test_historical_var_and_es_of_a_hundred_losses_match_the_hand_figures() -> None:
    # Losses of 1 % to 100 %: at the position 5.05 is 96 - 0.05, at 1.01 100 - 0.01; ES of the 5 largest and of 1.
    losses = np.random.default_rng(4).permutation(np.arange(1, 101)) / 100.0

    found = tail_risk(series_of(-losses), _forecast(0.2))

    np.testing.assert_allclose(found.historical_var.values[0, :, 0], [0.9595, 0.9999], rtol=1e-15)
    np.testing.assert_allclose(found.historical_es.values[0, :, 0], [0.98, 1.0], rtol=1e-15)


def test_es_of_a_fraction_of_a_loss_by_hand() -> None:
    # 250 losses of 1 to 250: 2.5 of them at 99 %, (250 + 249 + 248 / 2) / 2.5 = 249.2; VaR at 2.51, 249 - 0.51.
    var, shortfall = empirical_tail(np.arange(1.0, 251.0)[None])

    assert shortfall[0, 1] == pytest.approx(249.2, rel=1e-15)
    assert var[0, 1] == pytest.approx(248.49, rel=1e-15)


def test_loss_at_a_whole_position_is_an_observed_one_to_the_bit() -> None:
    losses = np.random.default_rng(5).standard_t(3, (20, 99)) * 0.01

    var, _ = empirical_tail(losses)

    np.testing.assert_array_equal(var, np.sort(losses, axis=1)[:, [-5, -1]])


@pytest.mark.parametrize("draw", ["normal", "t"])
def test_next_loss_exceeds_the_var_as_often_as_its_level_says(draw: str) -> None:
    # The chance that it does, exactly known, of 10,000 samples of 252 losses (seed 21): 5.0 +- 0.2 and 1.0 +- 0.1 %.
    rng = np.random.default_rng(21)
    law = stats.norm() if draw == "normal" else stats.t(4)
    losses = rng.normal(size=(10_000, 252)) if draw == "normal" else rng.standard_t(4, (10_000, 252))

    var, _ = empirical_tail(losses)

    exceeded = law.sf(var).mean(axis=0)
    assert exceeded[0] == pytest.approx(0.05, abs=0.002)
    assert exceeded[1] == pytest.approx(0.01, abs=0.001)


def test_ten_session_losses_are_compounded_and_overlap() -> None:
    returns = np.array([[0.1, -0.5, 0.2]])

    np.testing.assert_allclose(compounded(returns, 2), [[1.1 * 0.5 - 1, 0.5 * 1.2 - 1]], rtol=1e-15)


def test_historical_var_matches_numpys_unbiased_quantile_and_es_a_plain_sort() -> None:
    returns = np.random.default_rng(8).standard_t(3, (5, 252)) * 0.01
    found = tail_risk(series_of(*returns), _forecast(*[0.2] * 5))

    for index, row in enumerate(returns):
        ten = np.array([np.prod(1 + row[start : start + 10]) - 1 for start in range(len(row) - 9)])
        for horizon, sample in enumerate((row, ten)):
            for level, wanted in enumerate((0.95, 0.99)):
                quantile = np.quantile(-sample, wanted, method="weibull")
                assert found.historical_var.values[index, level, horizon] == pytest.approx(quantile, rel=1e-12)
                worst, share = np.sort(-sample)[::-1], len(sample) * (1 - wanted)
                whole = int(share)
                expected = (worst[:whole].sum() + (share - whole) * worst[whole]) / share
                assert found.historical_es.values[index, level, horizon] == pytest.approx(expected, rel=1e-11)


def test_parametric_var_and_es_match_scipy() -> None:
    returns = np.random.default_rng(9).normal(0.0003, 0.012, (3, 252))
    found = tail_risk(series_of(*returns), _forecast(0.2, 0.2, 0.2))

    for index, row in enumerate(returns):
        for level, wanted in enumerate((0.95, 0.99)):
            for horizon, sessions in enumerate((1, 10)):
                mean, deviation = row.mean() * sessions, row.std(ddof=1) * np.sqrt(sessions)
                loss = stats.norm(-mean, deviation)
                assert found.parametric_var.values[index, level, horizon] == pytest.approx(loss.ppf(wanted), rel=1e-10)
                expected = loss.expect(lb=loss.ppf(wanted), conditional=True)
                assert found.parametric_es.values[index, level, horizon] == pytest.approx(expected, rel=1e-7)


def test_har_var_is_normal_with_the_volatility_forecast_for_its_horizon() -> None:
    series = series_of(np.random.default_rng(1).normal(0, 0.01, 252))

    found = tail_risk(series, Quantities.of(np.array([[0.2, 0.3, 0.9]])))

    quantiles = stats.norm.ppf([0.95, 0.99])
    np.testing.assert_allclose(found.har_var.values[0, :, 0], quantiles * 0.2 / np.sqrt(252), rtol=1e-12)
    np.testing.assert_allclose(found.har_var.values[0, :, 1], quantiles * 0.3 * np.sqrt(10 / 252), rtol=1e-12)


def test_losses_over_ten_sessions_are_counted_all_and_apart() -> None:
    found = tail_risk(series_of(np.random.default_rng(1).normal(0, 0.01, 252)), _forecast(0.2))

    assert found.losses.values.tolist() == [[252, 243]]
    assert found.apart.values.tolist() == [[252, 25]]


def test_position_beyond_the_largest_loss_has_a_reason() -> None:
    # 107 returns make 98 losses over ten sessions, of which the 0.99th largest is none.
    found = tail_risk(series_of(np.random.default_rng(1).normal(0, 0.01, 107)), _forecast(0.2))

    assert found.historical_var.at((0, 1, 1)) == Unavailable(Reason.INSUFFICIENT_HISTORY, "98 of 99 losses")
    assert isinstance(found.historical_var.at((0, 1, 0)), float)
    assert isinstance(found.parametric_var.at((0, 1, 1)), float)


def test_var_recovers_the_quantile_of_a_known_distribution() -> None:
    sample = np.random.default_rng(12).standard_t(5, (200, 252)) * 0.01
    found = tail_risk(series_of(*sample), _forecast(*[0.2] * 200))

    assert found.historical_var.values[:, 0, 0].mean() == pytest.approx(-stats.t.ppf(0.05, 5) * 0.01, rel=0.03)


@pytest.mark.parametrize(
    ("n", "expected"), [(62, (False, False)), (63, (True, False)), (99, (True, False)), (100, (True, True))]
)
def test_each_level_needs_an_observation_in_its_tail(n: int, expected: tuple[bool, bool]) -> None:
    series = series_of(np.random.default_rng(2).normal(0, 0.01, n))
    found = tail_risk(series, _without_forecast(series))

    assert tuple(isinstance(found.historical_var.at((0, level, 0)), float) for level in (0, 1)) == expected
    assert found.har_var.at((0, 0, 0)) == NO_FORECAST


def test_shorts_have_the_tail_of_the_other_side() -> None:
    returns = np.random.default_rng(3).standard_t(3, 252) * 0.01

    found = tail_risk(series_of(returns, -returns), _forecast(0.2, 0.2))

    gains = np.sort(returns)[::-1]
    assert found.historical_var.at((1, 0, 0)) == pytest.approx(0.35 * gains[11] + 0.65 * gains[12], rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(-10, 10))
def test_tails_scale_with_the_returns_and_do_not_see_batch_mates(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.standard_t(4, n) * 0.01 for n in (252, 80, 130)]
    forecast = _forecast(0.1, 0.2, 0.3)

    together = tail_risk(series_of(*rows), forecast)
    alone = tail_risk(series_of(rows[0]), _forecast(0.1))

    for name in ("historical_var", "historical_es", "parametric_var", "parametric_es", "har_var", "har_es"):
        np.testing.assert_array_equal(getattr(together, name).values[0], getattr(alone, name).values[0])
    scaled = tail_risk(series_of(*(row * 2.0**power for row in rows)), forecast).historical_var.values[..., 0]
    np.testing.assert_array_equal(scaled, together.historical_var.values[..., 0] * 2.0**power)


@given(st.integers(0, 2**32 - 1))
def test_expected_shortfall_is_never_below_var(seed: int) -> None:
    found = tail_risk(series_of(np.random.default_rng(seed).standard_t(2, 252) * 0.01), _forecast(1.0))

    assert (found.historical_es.values >= found.historical_var.values).all()
    assert (found.parametric_es.values >= found.parametric_var.values).all()
    assert (found.historical_var.values[:, 1] >= found.historical_var.values[:, 0]).all()
