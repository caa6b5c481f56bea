"""VaR, ES and Kupiec's test by hand, against plain loops and scipy, and on simulated truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.risk.core.tails import compounded, kupiec_backtest, rank, tail_risk
from services.risk.core.volatility import ReturnSeries
from shared.arrays import FloatArray
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.series import series_of

NO_FORECAST = Unavailable(Reason.DEGENERATE_INPUT, "no forecast")


def _without_forecast(series: ReturnSeries) -> Quantities:
    return Quantities.unavailable_everywhere(series.length.shape, NO_FORECAST)


@pytest.mark.parametrize(
    ("n", "level", "expected"), [(100, 95, 5), (100, 99, 1), (252, 95, 13), (252, 99, 3), (63, 95, 4), (20, 95, 1)]
)
def test_rank_is_the_smallest_that_holds_the_tail(n: int, level: int, expected: int) -> None:
    assert rank(n, level) == expected


def test_historical_var_and_es_of_a_hundred_losses_match_the_hand_figures() -> None:
    # Losses of 1 % to 100 % in any order: the 5 largest are 96 to 100, the largest 100.
    losses = np.random.default_rng(4).permutation(np.arange(1, 101)) / 100.0

    found = tail_risk(series_of(-losses), Quantities.of(np.array([0.2])))

    assert found.historical_var.values[0, :, 0].tolist() == [0.96, 1.0]
    np.testing.assert_allclose(found.historical_es.values[0, :, 0], [0.98, 1.0], rtol=1e-15)


def test_ten_session_losses_are_compounded_and_overlap() -> None:
    returns = np.array([[0.1, -0.5, 0.2]])

    np.testing.assert_allclose(compounded(returns, 2), [[1.1 * 0.5 - 1, 0.5 * 1.2 - 1]], rtol=1e-15)


def test_historical_var_matches_a_plain_sort() -> None:
    returns = np.random.default_rng(8).standard_t(3, (5, 252)) * 0.01
    found = tail_risk(series_of(*returns), Quantities.of(np.full(5, 0.2)))

    for index, row in enumerate(returns):
        ten = np.array([np.prod(1 + row[start : start + 10]) - 1 for start in range(len(row) - 9)])
        for horizon, sample in enumerate((row, ten)):
            for level, wanted in enumerate((95, 99)):
                worst = np.sort(-sample)[::-1][: int(np.ceil(len(sample) * (100 - wanted) / 100))]
                assert found.historical_var.values[index, level, horizon] == pytest.approx(worst[-1], rel=1e-12)
                assert found.historical_es.values[index, level, horizon] == pytest.approx(worst.mean(), rel=1e-12)


def test_parametric_var_and_es_match_scipy() -> None:
    returns = np.random.default_rng(9).normal(0.0003, 0.012, (3, 252))
    found = tail_risk(series_of(*returns), Quantities.of(np.full(3, 0.2)))

    for index, row in enumerate(returns):
        for level, wanted in enumerate((0.95, 0.99)):
            for horizon, sessions in enumerate((1, 10)):
                mean, deviation = row.mean() * sessions, row.std(ddof=1) * np.sqrt(sessions)
                loss = stats.norm(-mean, deviation)
                assert found.parametric_var.values[index, level, horizon] == pytest.approx(loss.ppf(wanted), rel=1e-10)
                expected = loss.expect(lb=loss.ppf(wanted), conditional=True)
                assert found.parametric_es.values[index, level, horizon] == pytest.approx(expected, rel=1e-7)


def test_har_var_is_normal_with_the_forecast_volatility() -> None:
    series = series_of(np.random.default_rng(1).normal(0, 0.01, 252))

    found = tail_risk(series, Quantities.of(np.array([0.2])))

    one_day = 0.2 / np.sqrt(252)
    np.testing.assert_allclose(found.har_var.values[0, :, 0], stats.norm.ppf([0.95, 0.99]) * one_day, rtol=1e-12)
    np.testing.assert_allclose(found.har_var.values[0, :, 1], found.har_var.values[0, :, 0] * np.sqrt(10), rtol=1e-12)


def test_var_recovers_the_quantile_of_a_known_distribution() -> None:
    sample = np.random.default_rng(12).standard_t(5, (200, 252)) * 0.01
    found = tail_risk(series_of(*sample), Quantities.of(np.full(200, 0.2)))

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

    found = tail_risk(series_of(returns, -returns), Quantities.of(np.full(2, 0.2)))

    assert found.historical_var.at((1, 0, 0)) == np.sort(returns)[::-1][12]


def _history(exceptions: int) -> FloatArray:
    """Return 252 returns of which so many in the second half exceed everything in the first."""
    before = np.linspace(-0.010, 0.010, 126)
    after = np.full(126, 0.001)
    after[np.linspace(5, 120, exceptions).astype(int)] = -0.05
    return np.concatenate([before, after])


def test_kupiec_by_hand() -> None:
    # Few enough that none of them enters the 7th worst of the 126 sessions before another.
    found = kupiec_backtest(series_of(_history(6)))

    assert found.exceptions.at((0, 0)) == 6
    x, m, p = 6, 126, 0.05
    by_hand = -2 * ((m - x) * np.log((1 - p) / (1 - x / m)) + x * np.log(p / (x / m)))
    assert found.likelihood_ratio.at((0, 0)) == pytest.approx(by_hand, rel=1e-9)
    assert found.p_value.at((0, 0)) == pytest.approx(stats.chi2.sf(by_hand, 1), rel=1e-9)


def test_kupiec_without_exceptions_is_a_number() -> None:
    found = kupiec_backtest(series_of(_history(0)))

    assert found.exceptions.at((0, 0)) == 0
    assert found.likelihood_ratio.at((0, 0)) == pytest.approx(-2 * 126 * np.log(0.95), rel=1e-9)


def test_kupiec_rejects_about_as_often_as_it_promises() -> None:
    sample = np.random.default_rng(6).normal(0, 0.01, (400, 252))
    rejected = kupiec_backtest(series_of(*sample)).p_value.values[:, 0] < 0.05

    assert 0.01 < rejected.mean() < 0.12


def test_kupiec_needs_twice_its_sessions() -> None:
    found = kupiec_backtest(series_of(np.random.default_rng(2).normal(0, 0.01, 251))).p_value.at((0, 0))

    assert found == Unavailable(Reason.INSUFFICIENT_HISTORY, "251 of 252 returns")


@given(st.integers(0, 2**32 - 1), st.integers(-10, 10))
@settings(max_examples=25)
def test_tails_scale_with_the_returns_and_do_not_see_batch_mates(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.standard_t(4, n) * 0.01 for n in (252, 80, 130)]
    forecast = Quantities.of(np.array([0.1, 0.2, 0.3]))

    together = tail_risk(series_of(*rows), forecast)
    alone = tail_risk(series_of(rows[0]), Quantities.of(np.array([0.1])))

    for name in ("historical_var", "historical_es", "parametric_var", "parametric_es", "har_var", "har_es"):
        np.testing.assert_array_equal(getattr(together, name).values[0], getattr(alone, name).values[0])
    scaled = tail_risk(series_of(*(row * 2.0**power for row in rows)), forecast).historical_var.values[..., 0]
    np.testing.assert_array_equal(scaled, together.historical_var.values[..., 0] * 2.0**power)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_expected_shortfall_is_never_below_var(seed: int) -> None:
    found = tail_risk(series_of(np.random.default_rng(seed).standard_t(2, 252) * 0.01), Quantities.of(np.ones(1)))

    assert (found.historical_es.values >= found.historical_var.values).all()
    assert (found.parametric_es.values >= found.parametric_var.values).all()
    assert (found.historical_var.values[:, 1] >= found.historical_var.values[:, 0]).all()
