"""Prices and greeks against the textbook, an integral, parity and differences; implied volatilities recovered."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from shared.black_scholes import NO_PRICE, Terms, black_scholes, greeks, implied_volatility
from shared.unavailable import Reason, Unavailable

CALL, PUT = True, False
RATE = 0.05
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
NAMES = ("delta", "gamma", "vega", "theta", "rho")

SPOTS, MONEYNESS = st.floats(20.0, 500.0), st.floats(0.5, 2.0)
YEARS, VOLATILITIES = st.floats(0.02, 3.0), st.floats(0.05, 1.5)
YIELDS, RATES, KINDS = st.floats(0.0, 0.08), st.floats(-0.01, 0.15), st.booleans()


def terms(
    spot: float, strike: float, years: float, dividend_yield: float = 0.0, *, call: bool = CALL, rate: float = RATE
) -> Terms:
    return Terms(*(np.array([each]) for each in (spot, strike, years, dividend_yield, rate, call)))


def value(found: Terms, volatility: float) -> float:
    return float(black_scholes(found, np.array([volatility]))[0])


def greek(name: str, found: Terms, volatility: float) -> float:
    return float(getattr(greeks(found, np.array([volatility])), name)[0])


def implied(price: float, found: Terms) -> float | Unavailable:
    return implied_volatility(np.array([price]), found).at(0)


def difference(of: Any, at: float, step: float) -> float:
    """Return the central difference of four points."""
    near, far = of(at + step) - of(at - step), of(at + 2 * step) - of(at - 2 * step)
    return float((8 * near - far) / (12 * step))


def test_greeks_of_the_textbook_example() -> None:
    # Hull, Options, Futures and Other Derivatives, ch. 19: S = 49, K = 50, r = 5 %, sigma = 20 %, 20 weeks.
    example = terms(49.0, 50.0, 0.3846)

    assert value(example, 0.20) == pytest.approx(2.40, abs=5e-3)
    assert greek("delta", example, 0.20) == pytest.approx(0.522, abs=5e-4)
    assert greek("gamma", example, 0.20) == pytest.approx(0.066, abs=5e-4)
    assert greek("vega", example, 0.20) == pytest.approx(0.121, abs=5e-4)
    assert greek("theta", example, 0.20) * 365 == pytest.approx(-4.31, abs=5e-3)
    assert greek("rho", example, 0.20) == pytest.approx(0.0891, abs=5e-5)


def test_defect_52_rate_is_five_percent_and_not_a_twentieth_of_one() -> None:
    # Half a year at the money at 25 %: the predecessor's 0.5358 comes of a rate of 0.05 %, its vega is a hundredth.
    example = terms(100.0, 100.0, 0.5)

    assert greek("delta", example, 0.25) == pytest.approx(0.5909, abs=5e-5)
    assert greek("vega", example, 0.25) == pytest.approx(0.2747, abs=5e-5)


@given(SPOTS, MONEYNESS, YEARS, VOLATILITIES, st.tuples(YIELDS, RATES), KINDS)
@settings(max_examples=40)
def test_price_is_the_discounted_mean_of_what_the_option_pays(
    spot: float, moneyness: float, years: float, volatility: float, carry: tuple[float, float], call: bool
) -> None:
    dividend_yield, rate = carry
    strike, spread = spot * moneyness, volatility * math.sqrt(years)
    drift = (rate - dividend_yield) * years - spread**2 / 2
    sign = 1.0 if call else -1.0

    edge = np.clip((math.log(moneyness) - drift) / spread, -10.0, 12.0)
    low, high = (edge, 12.0) if call else (-10.0, edge)
    deviates = (low + high) / 2 + (high - low) / 2 * NODES
    paid = sign * (spot * np.exp(drift + spread * deviates) - strike) * norm.pdf(deviates)
    expected = math.exp(-rate * years) * float((WEIGHTS * paid).sum()) * (high - low) / 2

    found = value(terms(spot, strike, years, dividend_yield, call=call, rate=rate), volatility)
    assert found == pytest.approx(expected, abs=1e-9 * spot)


@given(SPOTS, MONEYNESS, YEARS, VOLATILITIES, YIELDS, RATES)
@settings(max_examples=40)
def test_put_call_parity(
    spot: float, moneyness: float, years: float, volatility: float, dividend_yield: float, rate: float
) -> None:
    strike = spot * moneyness
    call, put = (terms(spot, strike, years, dividend_yield, call=each, rate=rate) for each in (CALL, PUT))
    carried, discount = math.exp(-dividend_yield * years), math.exp(-rate * years)

    assert value(call, volatility) - value(put, volatility) == pytest.approx(
        spot * carried - strike * discount, abs=1e-12 * spot
    )
    gap = {name: greek(name, call, volatility) - greek(name, put, volatility) for name in NAMES}
    year = dividend_yield * spot * carried - rate * strike * discount
    expected = {
        "delta": carried,
        "gamma": 0.0,
        "vega": 0.0,
        "theta": year / 365,
        "rho": years * strike * discount / 100,
    }
    assert gap == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(SPOTS, st.floats(0.7, 1.4), st.floats(0.1, 3.0), st.floats(0.1, 1.0), st.tuples(YIELDS, RATES), KINDS)
@settings(max_examples=40)
def test_greeks_are_the_differences_of_the_price(
    spot: float, moneyness: float, years: float, volatility: float, carry: tuple[float, float], call: bool
) -> None:
    of = {"spot": spot, "strike": spot * moneyness, "years": years, "dividend_yield": carry[0], "rate": carry[1]}

    def at(**changes: float) -> Terms:
        return terms(**{**of, **changes}, call=call)

    here = at()

    def delta(each: float) -> float:
        return greek("delta", at(spot=each), volatility)

    slope = difference(lambda each: value(at(spot=each), volatility), spot, spot * 1e-3)
    assert greek("delta", here, volatility) == pytest.approx(slope, abs=1e-7)
    assert greek("gamma", here, volatility) == pytest.approx(difference(delta, spot, spot * 1e-3), abs=1e-7)
    vega = difference(lambda each: value(here, each), volatility, 1e-3) * 0.01
    assert greek("vega", here, volatility) == pytest.approx(vega, rel=1e-6, abs=1e-9 * spot)
    theta = -difference(lambda each: value(at(years=each), volatility), years, years * 1e-3) / 365
    assert greek("theta", here, volatility) == pytest.approx(theta, rel=1e-6, abs=1e-9 * spot)
    rho = difference(lambda each: value(at(rate=each), volatility), carry[1], 1e-3) * 0.01
    assert greek("rho", here, volatility) == pytest.approx(rho, rel=1e-6, abs=1e-9 * spot)


@given(st.floats(1.0, 1e6), st.floats(0.1, 10.0), st.floats(0.0, 5.0), st.floats(0.0, 3.0))
@settings(max_examples=40)
def test_call_less_put_is_one_share_and_both_stay_in_their_bounds(
    spot: float, moneyness: float, years: float, volatility: float
) -> None:
    call = greek("delta", terms(spot, spot * moneyness, years), volatility)
    put = greek("delta", terms(spot, spot * moneyness, years, call=PUT), volatility)

    assert call - put == pytest.approx(1.0, abs=1e-12)
    assert 0.0 <= call <= 1.0


@pytest.mark.parametrize(("spot", "call", "put"), [(101.0, 1.0, 0.0), (99.0, 0.0, -1.0)])
def test_greeks_without_time_or_volatility_are_their_limits(spot: float, call: float, put: float) -> None:
    assert greek("delta", terms(spot, 100.0, 0.0), 0.3) == call
    assert greek("delta", terms(spot, 100.0, 0.0, call=PUT), 0.3) == put
    far = terms(spot * 2 if call else spot / 2, 100.0, 0.5)
    for volatility in (0.0, 5e-324):
        assert greek("delta", far, volatility) == call
        assert greek("gamma", far, volatility) == 0.0
        assert greek("vega", far, volatility) == 0.0
        assert greek("rho", far, volatility) == pytest.approx(call * 0.5 * 100.0 * math.exp(-0.025) / 100)


@given(SPOTS, MONEYNESS, YEARS, VOLATILITIES, YIELDS, KINDS)
@settings(max_examples=60)
def test_implied_volatility_is_the_one_the_price_was_made_with(
    spot: float, moneyness: float, years: float, volatility: float, dividend_yield: float, call: bool
) -> None:
    option = terms(spot, spot * moneyness, years, dividend_yield, call=call)
    price = value(option, volatility)
    found = implied(price, option)

    if isinstance(found, Unavailable):
        assert price - float(option.floor[0]) <= 1e-11 * spot
        return
    assert value(option, found) == pytest.approx(price, abs=1e-13 * spot)
    # What the rounding of the price leaves open.
    assert found == pytest.approx(volatility, rel=1e-9, abs=1e-14 * spot / greek("vega", option, volatility))


@pytest.mark.parametrize("volatility", [0.01, 0.2, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("strike", [50.0, 100.0, 105.1271096376024, 300.0])
def test_implied_volatility_far_from_the_usual_is_found_or_has_a_reason(strike: float, volatility: float) -> None:
    option = terms(100.0, strike, 1.0)
    price = value(option, volatility)
    found = implied(price, option)

    if isinstance(found, Unavailable):
        assert not option.floor[0] + 1e-10 < price < option.ceiling[0] - 1e-10
    else:
        assert value(option, found) == pytest.approx(price, abs=1e-12)


@pytest.mark.parametrize(
    ("price", "call", "reason"),
    [
        (52.4, CALL, "the close 52.4 is not above 52.4385, its worth without volatility"),
        (150.0, CALL, "the close 150 is not below 150, its worth at any volatility"),
        (97.6, PUT, "the close 97.6 is not below 97.531, its worth at any volatility"),
        (0.0, PUT, "the close 0 is not above 0, its worth without volatility"),
    ],
)
def test_price_that_no_volatility_explains_has_a_reason(price: float, call: bool, reason: str) -> None:
    option = terms(150.0, 100.0, 0.5, call=call)

    expected = reason.replace("52.4385", f"{150 - 100 * math.exp(-0.025):.6g}")
    assert implied(price, option) == Unavailable(Reason.DEGENERATE_INPUT, expected)
    assert implied(float("nan"), option) == NO_PRICE


def test_implied_volatility_has_the_same_bits_alone_and_among_others() -> None:
    generator = np.random.default_rng(11)
    size = 37
    many = Terms(
        generator.uniform(50, 150, size),
        generator.uniform(50, 150, size),
        generator.uniform(0.05, 2, size),
        generator.uniform(0, 0.05, size),
        generator.uniform(-0.01, 0.1, size),
        generator.random(size) < 0.5,
    )
    prices = black_scholes(many, generator.uniform(0.1, 0.9, size))
    together = implied_volatility(prices, many).values

    for place in range(size):
        one = Terms(*(getattr(many, name)[[place]] for name in Terms.__slots__))
        np.testing.assert_array_equal(implied_volatility(prices[[place]], one).values, together[[place]])
