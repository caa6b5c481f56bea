from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import FACTOR_METHODS, estimate_factors
from services.symbol_analytics.core.parameters import FactorParameters, RegressionWindow
from shared.arrays import FloatArray
from shared.conventions import FACTORS, SPREAD_FACTORS, STYLE_FACTORS
from shared.factor_set import SAMPLE_FACTOR_SET, FactorSet
from shared.returns import simple_returns
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.symbol_analytics.worlds import (
    STANDARD,
    World,
    column,
    no_provider_betas,
    random_world,
    small_windows,
)

REGRESSED = slice(0, FACTORS.index("provider_beta"))
TABLES = ("betas", "r_squared", "std_errors", "p_values")
COUNTS = ("capped", "n_observations", "first_row", "last_row")


def assert_same_bits(whole: FactorEstimates, part: FactorEstimates, chosen: list[int]) -> None:
    for name in TABLES:
        assert np.array_equal(getattr(whole, name).values[chosen], getattr(part, name).values, equal_nan=True)
        assert getattr(whole, name).unavailable[chosen].tolist() == getattr(part, name).unavailable.tolist()
    for name in COUNTS:
        assert np.array_equal(getattr(whole, name)[chosen], getattr(part, name))


def reasons(estimates: FactorEstimates, factor: str) -> set[Unavailable | None]:
    return set(estimates.betas.unavailable[:, column(factor)].tolist())


def test_method_is_named_for_every_factor() -> None:
    assert tuple(FACTOR_METHODS) == FACTORS


def test_estimates_of_a_complete_world_are_all_there_but_what_a_method_lacks() -> None:
    estimates = random_world().estimate()
    assert np.isfinite(estimates.betas.values[:, REGRESSED]).all()
    assert np.isfinite(estimates.r_squared.values[:, REGRESSED]).all()
    assert reasons(estimates, "provider_beta") == {Unavailable(Reason.MISSING_DATA, "no profile")}
    lines = [column(factor) for factor in FACTORS if FACTOR_METHODS[factor] == "ols"]
    assert np.isfinite(estimates.std_errors.values[:, lines]).all()
    assert np.isfinite(estimates.p_values.values[:, lines]).all()
    assert estimates.std_errors.at((0, column("value"))) == Unavailable(
        Reason.NOT_APPLICABLE, "ridge has no standard error"
    )


def test_every_number_is_a_value_or_a_reason_never_both_or_neither() -> None:
    world = random_world(n_symbols=6)
    world.closes[:200, 1] = np.nan
    world.closes[:, 2] = np.nan
    world.closes[-9:, 3] = np.nan
    world.closes[:, 4] = 50.0
    estimates = world.estimate()
    for name in TABLES:
        table: Quantities = getattr(estimates, name)
        has_reason = np.array([[why is not None for why in row] for row in table.unavailable])
        assert np.array_equal(np.isnan(table.values), has_reason)


def test_defect_q8_windows_count_sessions_and_rows_used_are_reported() -> None:
    estimates = random_world(n_sessions=300).estimate()
    assert set(estimates.n_observations[:, column("value")]) == {252}
    assert set(estimates.n_observations[:, column("size_spread")]) == {252}
    assert set(estimates.n_observations[:, column("market_beta")]) == {90}
    assert set(estimates.first_row[:, column("value")]) == {300 - 252}
    assert set(estimates.first_row[:, column("rate_beta")]) == {300 - 90}
    assert set(estimates.last_row[:, REGRESSED].ravel()) == {299}
    assert set(estimates.n_observations[:, column("provider_beta")]) == {0}


def test_closes_before_the_window_do_not_change_a_bit() -> None:
    world = random_world(n_sessions=300)
    inside = World(world.closes[-253:], {ticker: closes[-253:] for ticker, closes in world.proxies.items()})
    long, short = world.estimate(), inside.estimate()
    assert np.array_equal(long.betas.values, short.betas.values, equal_nan=True)
    assert np.array_equal(long.first_row[:, REGRESSED], short.first_row[:, REGRESSED] + 47)


def test_panel_shorter_than_the_longest_window_is_rejected() -> None:
    with pytest.raises(ValueError, match="closes must hold 253 sessions, was 252"):
        random_world(n_sessions=252).estimate()


def test_proxies_have_beta_one_on_themselves() -> None:
    world = random_world()
    proxies = World(np.column_stack([world.proxies["SPY"], world.proxies["TLT"]]), world.proxies)
    estimates = proxies.estimate()
    assert estimates.betas.values[0, column("market_beta")] == 1.0
    assert estimates.betas.values[1, column("rate_beta")] == 1.0
    assert estimates.r_squared.values[0, column("market_beta")] == 1.0


def test_spread_beta_is_the_covariance_with_long_less_short() -> None:
    world = random_world()
    spread = simple_returns(world.proxies["VUG"][:, None]) - simple_returns(world.proxies["VTV"][:, None])
    returns = simple_returns(world.closes)
    expected = [np.cov(returns[:, i], spread[:, 0])[0, 1] / spread.var(ddof=1) for i in range(5)]
    ours = world.estimate().betas.values[:, column("growth_value_spread")]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_defect_q4_rate_beta_keeps_its_sign() -> None:
    world = random_world(n_symbols=1)
    rate = simple_returns(world.proxies["TLT"][:, None])
    inverse = 100.0 * np.cumprod(np.vstack([[[1.0]], 1.0 - 0.5 * rate]), axis=0)
    beta = World(inverse, world.proxies).estimate().betas.values[0, column("rate_beta")]
    assert beta == pytest.approx(-0.5, rel=1e-9)


def test_provider_beta_is_passed_through_uncapped_with_its_reason() -> None:
    world = random_world(n_symbols=2)
    why = Unavailable(Reason.MISSING_DATA, "the profile has no beta")
    given_betas = Quantities(np.array([7.25, np.nan]), np.array([None, why], dtype=object))
    estimates = estimate_factors(world.closes, world.proxies, factor_set=STANDARD, provider_betas=given_betas)
    assert estimates.betas.at((0, column("provider_beta"))) == 7.25
    assert estimates.betas.at((1, column("provider_beta"))) == why
    assert not estimates.capped[:, column("provider_beta")].any()
    assert estimates.r_squared.at((0, column("provider_beta"))) == Unavailable(
        Reason.NOT_APPLICABLE, "taken from the profile"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_provider_beta_that_is_no_number_and_has_no_reason_is_rejected(value: float) -> None:
    world = random_world(n_symbols=1)
    with pytest.raises(ValueError, match="finite or have a reason"):
        estimate_factors(
            world.closes,
            world.proxies,
            factor_set=STANDARD,
            provider_betas=Quantities.of(np.array([value])),
        )


def test_defect_q1_a_young_symbol_leaves_the_others_unchanged() -> None:
    world = random_world(n_symbols=5)
    young = random_world(n_symbols=1, seed=99).closes
    young[:-45] = np.nan
    after = replace(world, closes=np.column_stack([world.closes, young])).estimate()
    assert_same_bits(after, world.estimate(), list(range(5)))
    assert after.n_observations[5, column("market_beta")] == 44
    assert after.betas.at((5, column("value"))) == Unavailable(Reason.INSUFFICIENT_HISTORY, "44 of 60 sessions")
    assert np.isfinite(after.betas.values[5, column("market_beta")])


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_defect_q1_subset_and_order_of_the_shard_do_not_change_a_bit(seed: int, data: st.DataObject) -> None:
    n_symbols = data.draw(st.integers(1, 20))
    world = random_world(n_symbols=n_symbols, n_sessions=101, seed=seed)
    rng = np.random.default_rng(seed)
    world.closes[rng.random(world.closes.shape) < data.draw(st.sampled_from([0.0, 0.05]))] = np.nan
    chosen = data.draw(st.lists(st.integers(0, n_symbols - 1), min_size=1, max_size=30))
    parameters = small_windows(100, 30)
    part = replace(world, closes=world.closes[:, chosen]).estimate(parameters=parameters)
    assert_same_bits(world.estimate(parameters=parameters), part, chosen)


def test_defect_q3_one_missing_price_costs_two_returns_and_bridges_nothing() -> None:
    world = random_world(n_symbols=2)
    gappy = world.closes.copy()
    gappy[200, 0] = np.nan
    estimates = replace(world, closes=gappy).estimate()
    assert estimates.n_observations[0, column("value")] == 250
    assert estimates.n_observations[0, column("market_beta")] == 88
    assert estimates.n_observations[1, column("market_beta")] == 90
    market = simple_returns(world.proxies["SPY"][:, None])[:, 0]
    own = simple_returns(world.closes)[:, 0]
    kept = np.delete(np.arange(162, 252), [199 - 162, 200 - 162])
    expected = np.cov(own[kept], market[kept])[0, 1] / market[kept].var(ddof=1)
    assert estimates.betas.values[0, column("market_beta")] == pytest.approx(expected, rel=1e-10)


def test_proxy_missing_one_price_costs_only_its_own_estimators_two_rows() -> None:
    world = random_world(n_symbols=2)
    world.proxies["QUAL"][200] = np.nan
    counts = world.estimate().n_observations
    assert set(counts[:, column("value")]) == {250}
    assert set(counts[:, column("quality_spread")]) == {250}
    assert set(counts[:, column("size_spread")]) == {252}
    assert set(counts[:, column("market_beta")]) == {90}


@pytest.mark.parametrize("how", ["no column", "no price", "one price"])
def test_defect_q5_a_missing_spread_leg_leaves_the_other_spreads(how: str) -> None:
    world = random_world()
    if how == "no column":
        del world.proxies["IWM"]
    else:
        world.proxies["IWM"][: None if how == "no price" else -1] = np.nan
    estimates = world.estimate()
    why = Unavailable(Reason.MISSING_DATA, "no returns of IWM in 252 sessions")
    assert reasons(estimates, "size_spread") == {why}
    for factor in ("growth_value_spread", "momentum_spread", "quality_spread", "market_beta", "rate_beta"):
        assert reasons(estimates, factor) == {None}
    for factor in STYLE_FACTORS:  # the joint model would be another model without Size
        assert reasons(estimates, factor) == {why}
    assert set(estimates.n_observations[:, column("size_spread")]) == {0}


def test_missing_market_proxy_costs_what_needs_it_and_nothing_else() -> None:
    world = random_world()
    del world.proxies["SPY"]
    estimates = world.estimate()
    for factor in ("momentum_spread", "size_spread", "quality_spread", "market_beta"):
        assert {why.reason for why in reasons(estimates, factor) if why} == {Reason.MISSING_DATA}
    for factor in (*STYLE_FACTORS, "growth_value_spread", "rate_beta"):
        assert reasons(estimates, factor) == {None}


def test_several_missing_proxies_are_all_named() -> None:
    world = random_world()
    del world.proxies["USMV"]
    world.proxies["VTV"][:] = np.nan
    assert reasons(world.estimate(), "momentum") == {
        Unavailable(Reason.MISSING_DATA, "no returns of VTV, USMV in 252 sessions")
    }


@pytest.mark.parametrize("age", [6, 120])  # 120: without any return in the window of 90
def test_stale_proxy_makes_its_estimates_stale(age: int) -> None:
    world = random_world()
    world.proxies["TLT"][-age:] = np.nan
    assert reasons(world.estimate(), "rate_beta") == {
        Unavailable(Reason.STALE_INPUT, f"TLT: last price is {age} sessions old, limit 5")
    }


def test_missing_proxy_is_named_before_a_stale_one() -> None:
    world = random_world()
    del world.proxies["IWM"]
    world.proxies["VTV"][-6:] = np.nan
    assert reasons(world.estimate(), "growth") == {
        Unavailable(Reason.MISSING_DATA, "no returns of IWM in 252 sessions")
    }


def test_factor_without_a_configured_proxy_is_not_applicable_and_the_solve_uses_the_others() -> None:
    world = random_world()
    without_growth = FactorSet(growth=None, rate=None)
    estimates = world.estimate(factor_set=without_growth)
    assert reasons(estimates, "growth") == {Unavailable(Reason.NOT_APPLICABLE, "no proxy configured for growth")}
    assert reasons(estimates, "growth_value_spread") == reasons(estimates, "growth")
    assert reasons(estimates, "rate_beta") == {Unavailable(Reason.NOT_APPLICABLE, "no proxy configured for rate")}
    assert reasons(estimates, "value") == {None}
    del world.proxies["VUG"]
    again = world.estimate(factor_set=without_growth)
    assert np.array_equal(again.betas.values, estimates.betas.values, equal_nan=True)
    assert not np.array_equal(
        estimates.betas.values[:, column("value")], random_world().estimate().betas.values[:, column("value")]
    )


def test_sample_factor_set_says_what_it_has_no_proxy_for() -> None:
    world = random_world()
    proxies = dict(zip(SAMPLE_FACTOR_SET.tickers(), world.proxies.values(), strict=False))
    estimates = World(world.closes, proxies).estimate(factor_set=SAMPLE_FACTOR_SET)
    absent = {"growth", "growth_value_spread", "rate_beta"}
    for factor in FACTORS[REGRESSED]:
        why = estimates.betas.unavailable[0, column(factor)]
        assert (why.reason == Reason.NOT_APPLICABLE) if factor in absent else why is None


def test_factor_set_without_any_style_proxy_leaves_the_market_beta() -> None:
    bare = FactorSet(value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, rate=None)
    estimates = random_world().estimate(factor_set=bare)
    for factor in (*STYLE_FACTORS, *SPREAD_FACTORS, "rate_beta"):
        assert {why.reason for why in reasons(estimates, factor) if why} == {Reason.NOT_APPLICABLE}
    assert reasons(estimates, "market_beta") == {None}


@pytest.mark.parametrize(("age", "stale"), [(5, False), (6, True)])
def test_last_price_older_than_five_sessions_is_stale(age: int, stale: bool) -> None:
    world = random_world(n_symbols=2)
    world.closes[-age:, 0] = np.nan
    estimates = world.estimate()
    why = Unavailable(Reason.STALE_INPUT, f"last price is {age} sessions old, limit 5") if stale else None
    for factor in FACTORS[REGRESSED]:
        assert estimates.betas.unavailable[0, column(factor)] == why
        assert estimates.betas.unavailable[1, column(factor)] is None
    assert estimates.last_row[0, column("market_beta")] == 252 - age


def test_symbol_without_any_price_is_missing() -> None:
    world = random_world(n_symbols=2)
    world.closes[:, 1] = np.nan
    estimates = world.estimate()
    expected = Unavailable(Reason.MISSING_DATA, "no price in 253 sessions")
    assert set(estimates.betas.unavailable[1, REGRESSED].tolist()) == {expected}


@pytest.mark.parametrize(
    ("factor", "minimum"), [("value", 60), ("size_spread", 60), ("market_beta", 30), ("rate_beta", 30)]
)
@pytest.mark.parametrize("short_by", [0, 1])
def test_young_symbol_has_an_estimate_from_its_minimum_on(factor: str, minimum: int, short_by: int) -> None:
    returns = minimum - short_by
    world = random_world(n_symbols=1)
    world.closes[: -(returns + 1)] = np.nan
    estimates = world.estimate()
    short = Unavailable(Reason.INSUFFICIENT_HISTORY, f"{returns} of {minimum} sessions")
    assert estimates.betas.unavailable[0, column(factor)] == (short if short_by else None)
    assert estimates.n_observations[0, column(factor)] == returns


@pytest.mark.parametrize(
    ("factor", "window", "minimum", "known"), [("value", 252, 60, 58), ("market_beta", 90, 30, 28)]
)
def test_old_symbol_with_holes_misses_data_and_is_not_too_young(
    factor: str, window: int, minimum: int, known: int
) -> None:
    world = random_world(n_symbols=1)
    world.closes[-window + 1 : -minimum] = np.nan  # the first return of the window is there
    world.closes[-5] = np.nan
    estimates = world.estimate()
    detail = f"{known} of {minimum} sessions: {window - known} of the last {window} have no return"
    assert estimates.betas.unavailable[0, column(factor)] == Unavailable(Reason.MISSING_DATA, detail)


def test_halted_symbol_is_degenerate_in_every_regression() -> None:
    world = random_world(n_symbols=1)
    world.closes[:] = 31.4
    for factor in FACTORS[REGRESSED]:
        assert {why.reason for why in reasons(world.estimate(), factor) if why} == {Reason.DEGENERATE_INPUT}


def test_leveraged_symbol_is_capped_and_says_so() -> None:
    world = random_world(n_symbols=1)
    market = simple_returns(world.proxies["SPY"][:, None])
    levered = 100.0 * np.cumprod(np.vstack([[[1.0]], 1.0 + 8.0 * market]), axis=0)
    estimates = World(levered, world.proxies).estimate()
    assert estimates.betas.at((0, column("market_beta"))) == 5.0
    assert estimates.capped[0, column("market_beta")]
    assert estimates.r_squared.at((0, column("market_beta"))) == pytest.approx(1.0, abs=1e-9)


def test_capped_is_not_claimed_where_there_is_no_estimate() -> None:
    world = random_world(n_symbols=1)
    market = simple_returns(world.proxies["SPY"][:, None])
    levered = 100.0 * np.cumprod(np.vstack([[[1.0]], 1.0 + 8.0 * market]), axis=0)
    levered[-6:] = np.nan
    assert not World(levered, world.proxies).estimate().capped.any()


@pytest.mark.parametrize("price", [0.0, -1.0, np.inf])
@pytest.mark.parametrize("where", ["symbol", "proxy"])
def test_price_that_is_not_positive_and_finite_is_rejected(price: float, where: str) -> None:
    world = random_world()
    (world.closes[:, 0] if where == "symbol" else world.proxies["VTV"])[10] = price
    with pytest.raises(ValueError, match="positive and finite or missing"):
        world.estimate()


def test_proxy_of_another_length_is_rejected() -> None:
    world = random_world()
    world.proxies["VTV"] = world.proxies["VTV"][1:]
    with pytest.raises(ValueError, match="closes of VTV must hold 253 sessions, was 252"):
        world.estimate()


@pytest.mark.parametrize("closes", [np.ones(253), np.ones((0, 3))])
def test_closes_without_sessions_and_symbols_are_rejected(closes: FloatArray) -> None:
    with pytest.raises(ValueError, match="shape"):
        estimate_factors(closes, {}, factor_set=STANDARD, provider_betas=no_provider_betas(3))


def test_shard_without_symbols_gives_empty_tables() -> None:
    world = random_world()
    assert replace(world, closes=world.closes[:, :0]).estimate().betas.values.shape == (0, len(FACTORS))


@pytest.mark.parametrize(("sessions", "minimum"), [(90, 2), (20, 30)])
def test_window_that_cannot_hold_its_minimum_is_rejected(sessions: int, minimum: int) -> None:
    with pytest.raises(ValueError, match="min_observations must lie in"):
        RegressionWindow(sessions, minimum)


def test_required_sessions_are_one_more_than_the_longest_window() -> None:
    assert FactorParameters().required_sessions == 253
