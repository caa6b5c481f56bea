"""The HAR forecast against statsmodels, by hand, on simulated truth, and where it must decline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from services.risk.core.har import har_forecast
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.series import components, har_path, next_day_forecast, series_of
from tests.unit.risk.test_volatility import vector


def _plain_forecast(returns: FloatArray) -> tuple[FloatArray, float, list[float], int]:
    """Return coefficients, R squared, annualised forecasts and how many are the floor, one step at a time."""
    a = returns**2
    rows = range(20, len(a) - 1)
    x = np.array([[a[t], a[t - 4 : t + 1].mean(), a[t - 20 : t + 1].mean()] for t in rows])
    fit = OLS(a[21:], add_constant(x)).fit()
    floor, floored = min(a[t - 20 : t + 1].mean() for t in range(20, len(a))), 0
    path = list(a)
    for _ in range(21):
        forecast = fit.params @ [1.0, path[-1], np.mean(path[-5:]), np.mean(path[-21:])]
        floored += forecast < floor
        path.append(max(forecast, floor))
    ahead = path[-21:]
    return fit.params, fit.rsquared, [np.sqrt(np.mean(ahead[:n]) * 252) for n in (1, 10, 21)], floored


@pytest.mark.parametrize("n", [63, 126, 252])
def test_har_matches_statsmodels_iterated_step_by_step(n: int) -> None:
    rows = [np.random.default_rng(seed).standard_t(4, n) * 0.01 for seed in range(20)]

    forecast = har_forecast(series_of(*rows))

    for index, row in enumerate(rows):
        coefficients, r_squared, volatilities, floored = _plain_forecast(row)
        np.testing.assert_allclose(forecast.coefficients[index], coefficients, rtol=1e-8, atol=1e-13)
        assert forecast.r_squared.at(index) == pytest.approx(r_squared, rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(forecast.volatility.values[index], volatilities, rtol=1e-9)
        assert forecast.floored.at(index) == floored
    assert forecast.observations.tolist() == [n - 21] * 20


@pytest.mark.parametrize(
    ("n", "day", "week", "forecast", "r_squared"),
    [
        (63, 0.028306, 0.192881, 0.177768, 0.357089),
        (130, 0.088194, 0.138074, 0.126826, 0.232079),
        (252, 0.076807, 0.172651, 0.167550, 0.233063),
        (300, 0.132013, 0.173234, 0.115280, 0.211168),
    ],
)
def test_regression_on_the_predecessors_components_gives_its_vector(
    n: int, day: float, week: float, forecast: float, r_squared: float
) -> None:
    found, explained = next_day_forecast(vector(n))

    assert components(vector(n))[0, -1, :2].tolist() == pytest.approx([day, week], abs=5e-7)
    assert (found[0], explained[0]) == (pytest.approx(forecast, abs=5e-7), pytest.approx(r_squared, abs=5e-7))


def test_har_recovers_the_coefficients_of_a_simulated_process() -> None:
    truth = (1e-5, 0.3, 0.3, 0.3)

    forecast = har_forecast(series_of(har_path(60_000, seed=3, coefficients=truth)))

    np.testing.assert_allclose(forecast.coefficients[0], truth, rtol=0.15)


def test_defect_42_forecast_of_constant_volatility_is_that_volatility() -> None:
    # The predecessor's forecast of the next absolute return is 0.8 of it: the root of 2/pi. A line fitted to a year of
    # noise scatters, and its root is a little below.
    sigma = 0.012
    rows = [np.random.default_rng(seed).normal(0, sigma, 252) for seed in range(400)]

    found = har_forecast(series_of(*rows)).volatility.values

    np.testing.assert_allclose(np.sqrt((found**2).mean(axis=0)), sigma * np.sqrt(252), rtol=0.02)


def test_defect_42_forecast_below_the_quietest_month_is_that_month_and_says_so() -> None:
    # Squared returns that shrink fast: the line goes on below zero.
    sizes = np.linspace(0.10, 0.001, 90) * (1 + 0.02 * np.sin(np.arange(90) * 2.1))

    forecast = har_forecast(series_of(sizes))

    quietest = np.sqrt((sizes[-21:] ** 2).mean() * 252)
    assert forecast.floored.at(0) == 21
    np.testing.assert_allclose(forecast.volatility.values[0], quietest, rtol=1e-12)


@pytest.mark.parametrize(("n", "available"), [(62, False), (63, True)])
def test_har_needs_63_returns(n: int, available: bool) -> None:
    found = har_forecast(series_of(np.random.default_rng(1).normal(0, 0.01, n))).volatility.at((0, 0))

    assert isinstance(found, float) is available
    if not available:
        assert found == Unavailable(Reason.INSUFFICIENT_HISTORY, "62 of 63 returns")


@pytest.mark.parametrize("returns", [np.zeros(100), np.full(100, 0.01), np.tile([0.01, -0.01], 50)])
def test_har_of_returns_of_one_size_is_degenerate(returns: FloatArray) -> None:
    found = har_forecast(series_of(returns)).volatility.at((0, 0))

    assert isinstance(found, Unavailable)
    assert found.reason is Reason.DEGENERATE_INPUT


def _calm_with(jumps: dict[int, float], seed: int) -> FloatArray:
    """Return a year of returns of one per cent, and of what jumped so many sessions before its end."""
    returns = np.random.default_rng(seed).normal(0, 0.01, 252)
    returns[[-before for before in jumps]] = list(jumps.values())
    return returns


def test_forecast_beyond_every_squared_return_is_none() -> None:
    # A square of 0.30 before one of 0.40: on from the last the line goes beyond it at once. After one jump the next
    # session is below it, the sessions after that are not. The calm year is what it is alone.
    calm = _calm_with({}, seed=0)
    found = har_forecast(series_of(_calm_with({2: 0.30, 1: 0.40}, seed=1), _calm_with({1: 0.30}, seed=0), calm))

    beyond = Unavailable(Reason.DEGENERATE_INPUT, "the forecast goes beyond every squared return of the series")
    assert [found.volatility.at((0, place)) for place in range(3)] == [beyond] * 3
    assert isinstance(found.volatility.at((1, 0)), float)
    assert [found.volatility.at((1, place)) for place in (1, 2)] == [beyond] * 2
    assert [found.floored.at(portfolio) for portfolio in (0, 1)] == [beyond] * 2
    np.testing.assert_array_equal(found.volatility.values[2], har_forecast(series_of(calm)).volatility.values[0])


@given(st.integers(0, 2**32 - 1), st.dictionaries(st.integers(1, 60), st.floats(-0.9, 3.0), min_size=1, max_size=4))
@settings(max_examples=30)
def test_no_forecast_is_beyond_what_the_series_has_seen(seed: int, jumps: dict[int, float]) -> None:
    returns = _calm_with(jumps, seed)

    forecast = har_forecast(series_of(returns)).volatility

    largest = np.abs(returns).max() * np.sqrt(252)
    assert all(
        isinstance(found, Unavailable) or found <= largest * (1 + 1e-12)
        for found in (forecast.at((0, place)) for place in range(3))
    )


@given(st.integers(0, 2**32 - 1), st.integers(-20, 20))
@settings(max_examples=15)
def test_har_scales_with_the_returns_and_does_not_see_batch_mates(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.standard_t(4, n) * 0.01 for n in (80, 252, 130)]

    together = har_forecast(series_of(*rows))
    scaled = har_forecast(series_of(*(row * 2.0**power for row in rows)))

    np.testing.assert_array_equal(scaled.volatility.values, together.volatility.values * 2.0**power)
    reversed_order = har_forecast(series_of(*rows[::-1]))
    np.testing.assert_array_equal(reversed_order.volatility.values[::-1], together.volatility.values)
