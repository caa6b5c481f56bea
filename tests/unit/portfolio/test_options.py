"""Deltas against the textbook, an independent price and parity; strikes through splits; settlement."""

import math
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from services.portfolio.core.options import (
    EXPIRED,
    NO_CLOSE,
    Contracts,
    OptionExposures,
    Underlyings,
    black_scholes_delta,
    settlements,
    strikes,
    trailing_volatility,
)
from services.portfolio.core.positions import OptionTerms, PositionTerms, PositionType
from shared.arrays import FloatArray
from shared.conventions import OPTION_RISK_FREE_RATE
from shared.unavailable import Reason, Unavailable

CALL, PUT = True, False


def delta_of(spot: float, strike: float, years: float, volatility: float, *, call: bool = CALL) -> float:
    found = black_scholes_delta(
        np.array([spot]),
        np.array([strike]),
        years=np.array([years]),
        volatility=np.array([volatility]),
        is_call=np.array([call]),
    )
    return float(found[0])


def price_of(spot: float, strike: float, years: float, volatility: float, *, call: bool) -> float:
    """Return a Black-Scholes price, written down from the lognormal expectation."""
    forward = spot * math.exp(OPTION_RISK_FREE_RATE * years)
    spread = volatility * math.sqrt(years)
    d2 = (math.log(forward / strike) - spread**2 / 2) / spread
    sign = 1.0 if call else -1.0
    expected = sign * (forward * norm.cdf(sign * (d2 + spread)) - strike * norm.cdf(sign * d2))
    return float(math.exp(-OPTION_RISK_FREE_RATE * years) * expected)


def test_delta_of_the_textbook_example() -> None:
    # Hull, Options, Futures and Other Derivatives, ch. 19: S = 49, K = 50, r = 5 %, sigma = 20 %, 20 weeks.
    assert delta_of(49.0, 50.0, 0.3846, 0.20) == pytest.approx(0.522, abs=5e-4)


def test_defect_52_rate_is_five_percent_and_not_a_twentieth_of_one() -> None:
    # Half a year at the money at 25 %: the predecessor's 0.5358 comes of a rate of 0.05 %.
    assert delta_of(100.0, 100.0, 0.5, 0.25) == pytest.approx(0.5909, abs=5e-5)


@given(st.floats(20.0, 500.0), st.floats(0.5, 2.0), st.floats(0.02, 3.0), st.floats(0.05, 1.5), st.booleans())
@settings(max_examples=80)
def test_delta_is_the_slope_of_an_independent_price(
    spot: float, moneyness: float, years: float, volatility: float, call: bool
) -> None:
    strike, step = spot * moneyness, spot * 1e-4
    above = price_of(spot + step, strike, years, volatility, call=call)
    below = price_of(spot - step, strike, years, volatility, call=call)

    assert delta_of(spot, strike, years, volatility, call=call) == pytest.approx((above - below) / (2 * step), abs=2e-5)


@given(st.floats(20.0, 500.0), st.floats(0.5, 2.0), st.floats(0.02, 3.0), st.floats(0.05, 1.5))
@settings(max_examples=80)
def test_delta_is_the_normal_probability_of_scipy(
    spot: float, moneyness: float, years: float, volatility: float
) -> None:
    drift = (OPTION_RISK_FREE_RATE + volatility**2 / 2) * years
    d1 = (drift - math.log(moneyness)) / (volatility * math.sqrt(years))

    assert delta_of(spot, spot * moneyness, years, volatility) == pytest.approx(norm.cdf(d1), abs=1e-13)
    assert delta_of(spot, spot * moneyness, years, volatility, call=PUT) == pytest.approx(-norm.sf(d1), abs=1e-13)


@given(st.floats(20.0, 500.0), st.floats(0.5, 2.0), st.floats(0.02, 3.0), st.floats(0.05, 1.5))
@settings(max_examples=80)
def test_price_behind_the_slope_satisfies_put_call_parity(
    spot: float, moneyness: float, years: float, volatility: float
) -> None:
    strike = spot * moneyness
    call, put = (price_of(spot, strike, years, volatility, call=each) for each in (CALL, PUT))

    assert call - put == pytest.approx(spot - strike * math.exp(-OPTION_RISK_FREE_RATE * years), abs=1e-12 * spot)


@given(st.floats(1.0, 1e6), st.floats(0.1, 10.0), st.floats(0.0, 5.0), st.floats(0.0, 3.0))
@settings(max_examples=80)
def test_call_less_put_is_one_share_and_both_stay_in_their_bounds(
    spot: float, moneyness: float, years: float, volatility: float
) -> None:
    call = delta_of(spot, spot * moneyness, years, volatility)
    put = delta_of(spot, spot * moneyness, years, volatility, call=PUT)

    assert call - put == pytest.approx(1.0, abs=1e-12)
    assert 0.0 <= call <= 1.0


@pytest.mark.parametrize(("spot", "call", "put"), [(101.0, 1.0, 0.0), (99.0, 0.0, -1.0)])
def test_delta_without_time_or_volatility_is_its_limit(spot: float, call: float, put: float) -> None:
    assert delta_of(spot, 100.0, 0.0, 0.3) == call
    assert delta_of(spot, 100.0, 0.0, 0.3, call=PUT) == put
    assert delta_of(spot * 2 if call else spot / 2, 100.0, 0.5, 0.0) == call
    assert delta_of(spot * 2 if call else spot / 2, 100.0, 0.5, 5e-324) == call


def test_volatility_is_that_of_the_last_63_returns() -> None:
    returns = np.random.default_rng(4).normal(0, 0.02, (70, 2))
    adjusted: FloatArray = 100.0 * np.cumprod(np.vstack([np.ones(2), 1 + returns]), axis=0).astype(np.float64)

    found = trailing_volatility(adjusted, n_sessions=3)

    windows = [returns[end - 63 : end] for end in (68, 69, 70)]
    expected = [window.std(axis=0, ddof=1) * np.sqrt(252) for window in windows]
    np.testing.assert_allclose(found.values, expected, rtol=1e-10)


def test_volatility_with_a_gap_says_how_much_is_there() -> None:
    adjusted = np.linspace(100, 110, 64)[:, None] + np.zeros((64, 1))
    adjusted[10] = np.nan

    found = trailing_volatility(adjusted, n_sessions=1).at((0, 0))

    assert found == Unavailable(Reason.INSUFFICIENT_HISTORY, "the underlying has 61 of 63 returns")


def test_volatility_has_the_same_bits_alone_and_among_others() -> None:
    walk = 1 + np.random.default_rng(0).normal(0, 0.02, (80, 7))
    adjusted: FloatArray = 100 * np.cumprod(walk, axis=0, dtype=np.float64)
    together = trailing_volatility(adjusted, n_sessions=5).values

    for column in range(7):
        alone = trailing_volatility(np.ascontiguousarray(adjusted[-68:, [column]]), n_sessions=5).values
        np.testing.assert_array_equal(alone[:, 0], together[:, column])


DAYS = np.arange(np.datetime64("2025-01-01"), np.datetime64("2025-04-15")).astype("datetime64[D]")


def underlyings(last: int, *, close: FloatArray | None = None, split: FloatArray | None = None) -> Underlyings:
    """Return one underlying on consecutive days, the last `last` of them in the roll."""
    n = DAYS.size
    walk = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, n))
    closes = walk if close is None else close
    splits = np.ones(n) if split is None else split
    adjusted = np.where(np.isfinite(closes), walk, np.nan)
    return Underlyings(DAYS, closes[:, None], adjusted[:, None], splits[:, None], last)


def contract(*, settles: str, call: bool = CALL, strike: float = 100.0, since: str = "2025-02-03") -> Contracts:
    day = np.array([settles], dtype="datetime64[D]")
    return Contracts(
        position=np.array([0]),
        underlying=np.array([0]),
        is_call=np.array([call]),
        strike=np.array([strike]),
        since=np.array([since], dtype="datetime64[D]"),
        expires=day,
        settles=day,
    )


def test_defect_q12_exposure_is_delta_times_contracts_times_the_underlying() -> None:
    prices = underlyings(5)
    option = contract(settles="2025-12-19")
    found = OptionExposures.of(option, prices)
    values, quantity = np.full((5, 1), 12_345), np.full((5, 1), -2.0)

    exposures = found.exposures(values, quantity, prices.closes)

    expected = found.delta.values[:, 0] * -2.0 * 100 * prices.closes[:, 0] * 100
    np.testing.assert_allclose(exposures[:, 0], np.rint(expected))
    assert (exposures < 0).all()


def test_defect_41_long_put_is_exposed_against_its_underlying() -> None:
    prices = underlyings(2)
    found = OptionExposures.of(contract(settles="2025-12-19", call=PUT), prices)

    assert (found.exposures(np.full((2, 1), 500), np.full((2, 1), 1.0), prices.closes) < 0).all()


def test_option_whose_underlying_has_no_close_keeps_its_market_value_and_says_why() -> None:
    close = 100 + np.zeros(DAYS.size)
    close[-1] = np.nan
    prices = underlyings(1, close=close)

    found = OptionExposures.of(contract(settles="2025-12-19"), prices)

    assert found.delta.at((0, 0)) == NO_CLOSE
    assert found.exposures(np.array([[777]]), np.array([[1.0]]), prices.closes).tolist() == [[777]]


def test_split_of_the_underlying_divides_the_strike_from_its_session_on() -> None:
    split = np.ones(DAYS.size)
    split[[5, -3]] = 4.0, 2.0  # the first one before the contract was entered

    found = strikes(contract(settles="2025-12-19"), underlyings(5, split=split))

    assert found[:, 0].tolist() == [100.0, 100.0, 50.0, 50.0, 50.0]


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, 0.1, 1.5, 0.7]), min_size=10, max_size=10), st.integers(5, 9))
def test_strike_has_the_same_bits_however_far_back_the_prices_reach(factors: list[float], reach: int) -> None:
    split = np.ones(DAYS.size)
    split[-10:] = factors
    option = contract(settles="2025-12-19", since=str(DAYS[-5]), strike=97.3)
    whole = underlyings(4, split=split)
    short = Underlyings(
        whole.sessions[-reach:], whole.close[-reach:], whole.adjusted[-reach:], whole.split[-reach:], n_sessions=4
    )

    np.testing.assert_array_equal(strikes(option, short), strikes(option, whole))


@pytest.mark.parametrize("close", [0.0, -5.0, np.inf])
def test_option_on_a_close_that_is_none_has_a_reason_and_is_not_settled(close: float) -> None:
    prices = underlyings(2, close=np.where(np.arange(DAYS.size) == DAYS.size - 1, close, 108.0))
    later, due = contract(settles="2025-12-19"), contract(settles=str(DAYS[-1]))

    with np.errstate(all="ignore"):
        found = OptionExposures.of(later, prices)

    assert found.delta.at((1, 0)) == NO_CLOSE
    assert settlements(due, prices).position.size == 0


@pytest.mark.parametrize(
    ("call", "close", "price"), [(CALL, 108.0, 8.0), (PUT, 108.0, 0.0), (CALL, 92.0, 0.0), (PUT, 92.0, 8.0)]
)
def test_option_settles_at_its_intrinsic_value(call: bool, close: float, price: float) -> None:
    prices = underlyings(5, close=np.full(DAYS.size, close))

    found = settlements(contract(settles=str(DAYS[-2]), call=call), prices)

    assert (found.session.tolist(), found.price.tolist()) == ([3], [price])
    assert np.isnan(found.size).all()


def test_option_waits_for_the_close_that_settles_it() -> None:
    close = np.full(DAYS.size, 108.0)
    close[-2] = np.nan

    found = settlements(contract(settles=str(DAYS[-2])), underlyings(5, close=close))

    assert found.position.size == 0


def test_delta_ends_with_the_session_that_settles_the_option() -> None:
    found = OptionExposures.of(contract(settles=str(DAYS[-2])), underlyings(4))

    assert [found.delta.unavailable[row, 0] for row in range(4)] == [None, None, EXPIRED, EXPIRED]


def test_shard_without_options_has_none() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    days = np.zeros(0, dtype="datetime64[D]")
    none = Contracts(nothing, nothing, nothing.astype(bool), nothing.astype(float), days, days, days)
    blank = np.empty((66, 0))
    prices = Underlyings(DAYS[:66], blank, blank, blank, 2)

    found = OptionExposures.of(none, prices)

    assert found.exposures(np.array([[5], [6]]), np.ones((2, 1)), prices.closes).tolist() == [[5], [6]]
    assert settlements(none, prices).position.size == 0


def test_expiration_before_the_entry_is_rejected() -> None:
    terms = OptionTerms("AAPL", Decimal(100), date(2025, 1, 2))
    with pytest.raises(ValueError, match="expire after its entry"):
        PositionTerms("X", PositionType.LC, Decimal(1), date(2025, 1, 3), Decimal(1), option=terms)
