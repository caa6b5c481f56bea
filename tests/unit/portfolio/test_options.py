"""Options of a shard: volatilities, dividend yields, strikes through splits, exposures, settlement."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.options import (
    EXPIRED,
    NO_CLOSE,
    Contracts,
    OptionExposures,
    Underlyings,
    dividend_yields,
    settlements,
    strikes,
    trailing_volatility,
)
from services.portfolio.core.positions import OptionTerms, PositionTerms, PositionType
from shared.arrays import FloatArray
from shared.black_scholes import NO_PRICE
from shared.conventions import OPTION_RISK_FREE_RATE
from shared.unavailable import Reason, Unavailable

CALL, PUT = True, False


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


def underlyings(
    last: int, *, close: FloatArray | None = None, split: FloatArray | None = None, dividend: FloatArray | None = None
) -> Underlyings:
    """Return one underlying on consecutive days, the last `last` of them in the roll."""
    n = DAYS.size
    dividends = np.zeros(n) if dividend is None else dividend
    walk = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, n))
    closes = walk if close is None else close
    splits = np.ones(n) if split is None else split
    adjusted = np.where(np.isfinite(closes), walk, np.nan)
    return Underlyings(DAYS, closes[:, None], adjusted[:, None], splits[:, None], dividends[:, None], last)


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


def exposures_of(contracts: Contracts, prices: Underlyings, close: float = np.nan) -> OptionExposures:
    """Return the exposures of contracts that all have this close of their own."""
    rates = np.full(prices.n_sessions, OPTION_RISK_FREE_RATE)
    return OptionExposures.of(contracts, prices, np.full((prices.n_sessions, contracts.position.size), close), rates)


def test_own_close_implies_the_volatility_and_without_one_the_realised_one_is_taken() -> None:
    prices = underlyings(2)
    option = contract(settles="2025-12-19")

    own, none = exposures_of(option, prices, 12.0), exposures_of(option, prices)

    assert own.volatility[1, 0] == own.implied.values[1, 0]
    assert none.implied.at((1, 0)) == NO_PRICE
    assert none.volatility[1, 0] == trailing_volatility(prices.adjusted, n_sessions=2).values[1, 0]
    assert own.delta.values[1, 0] != none.delta.values[1, 0]


def test_each_session_has_the_rate_of_its_own() -> None:
    prices, option = underlyings(2), contract(settles="2025-12-19")
    closes = np.full((2, 1), 12.0)

    together = OptionExposures.of(option, prices, closes, np.array([0.01, 0.04]))

    for row, rate in ((0, 0.01), (1, 0.04)):
        alone = OptionExposures.of(option, prices, closes, np.full(2, rate))
        assert together.implied.values[row, 0] == alone.implied.values[row, 0]
        assert together.delta.values[row, 0] == alone.delta.values[row, 0]
        assert together.terms.rate[row, 0] == rate
    assert len({exposure.implied.values[1, 0] for exposure in (together, exposures_of(option, prices, 12.0))}) == 2


def test_own_close_gives_a_delta_where_the_underlying_has_no_history() -> None:
    prices = underlyings(1)
    prices.adjusted[:-1] = np.nan

    assert exposures_of(contract(settles="2025-12-19"), prices).delta.unavailable[0, 0] is not None
    assert exposures_of(contract(settles="2025-12-19"), prices, 12.0).delta.unavailable[0, 0] is None


def test_close_below_the_worth_without_volatility_says_so_and_the_realised_one_is_taken() -> None:
    prices = underlyings(1, close=np.full(DAYS.size, 150.0))

    found = exposures_of(contract(settles="2025-12-19"), prices, 49.0)

    assert found.implied.at((0, 0)) == Unavailable(
        Reason.DEGENERATE_INPUT, "the close 49 is not above 53.3534, its worth without volatility"
    )
    assert found.delta.available.all()


def test_dividend_yield_by_hand() -> None:
    # 1.20 before a split of 3 for 1 and 0.50 after it, on a close of 90: 0.90 a share, one per cent.
    dividend, split = np.zeros(DAYS.size), np.ones(DAYS.size)
    dividend[[-40, -10]], split[-20] = 1.2, 3.0
    dividend[-10] = 0.5

    found = dividend_yields(underlyings(2, close=np.full(DAYS.size, 90.0), split=split, dividend=dividend))

    assert found[:, 0] == pytest.approx([np.log(1.01)] * 2, rel=1e-12)


def test_dividend_counts_on_its_session_in_the_shares_of_that_session() -> None:
    dividend, split = np.zeros(DAYS.size), np.ones(DAYS.size)
    dividend[-1], split[-1] = 0.9, 3.0

    found = dividend_yields(underlyings(2, close=np.full(DAYS.size, 90.0), split=split, dividend=dividend))

    assert found[:, 0] == pytest.approx([0.0, np.log(1.01)], rel=1e-12)


def test_dividends_count_for_a_year_and_how_far_back_prices_reach_changes_no_bit() -> None:
    days = np.arange(np.datetime64("2023-01-01"), np.datetime64("2023-01-01") + 300).astype("datetime64[D]")
    generator = np.random.default_rng(5)
    dividend, split = generator.uniform(0, 0.01, (300, 3)), np.where(generator.random((300, 3)) < 0.02, 1.5, 1.0)
    close = np.full((300, 3), 80.0)
    whole = Underlyings(days, close, close, split, dividend, 2)
    parts = [each[-253:, [1]] for each in (close, split, dividend)]
    closes, splits, dividends = parts
    short = Underlyings(days[-253:], closes, closes, splits, dividends, 2)

    np.testing.assert_array_equal(dividend_yields(whole)[:, [1]], dividend_yields(short))
    paid = sum(dividend[row, 1] / np.prod(split[row + 1 :, 1]) for row in range(300 - 252, 300))
    assert dividend_yields(whole)[-1, 1] == pytest.approx(np.log1p(paid / 80.0), rel=1e-12)


def test_defect_q12_exposure_is_delta_times_contracts_times_the_underlying() -> None:
    prices = underlyings(5)
    option = contract(settles="2025-12-19")
    found = exposures_of(option, prices)
    values, quantity = np.full((5, 1), 12_345), np.full((5, 1), -2.0)

    exposures = found.exposures(values, quantity, prices.closes)

    expected = found.delta.values[:, 0] * -2.0 * 100 * prices.closes[:, 0] * 100
    np.testing.assert_allclose(exposures[:, 0], np.rint(expected))
    assert (exposures < 0).all()


def test_defect_41_long_put_is_exposed_against_its_underlying() -> None:
    prices = underlyings(2)
    found = exposures_of(contract(settles="2025-12-19", call=PUT), prices)

    assert (found.exposures(np.full((2, 1), 500), np.full((2, 1), 1.0), prices.closes) < 0).all()


def test_option_whose_underlying_has_no_close_keeps_its_market_value_and_says_why() -> None:
    close = 100 + np.zeros(DAYS.size)
    close[-1] = np.nan
    prices = underlyings(1, close=close)

    found = exposures_of(contract(settles="2025-12-19"), prices)

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
    names = ("sessions", "close", "adjusted", "split", "dividend")
    short = replace(whole, **{name: getattr(whole, name)[-reach:] for name in names})

    np.testing.assert_array_equal(strikes(option, short), strikes(option, whole))


@pytest.mark.parametrize("close", [0.0, -5.0, np.inf])
def test_option_on_a_close_that_is_none_has_a_reason_and_is_not_settled(close: float) -> None:
    prices = underlyings(2, close=np.where(np.arange(DAYS.size) == DAYS.size - 1, close, 108.0))
    later, due = contract(settles="2025-12-19"), contract(settles=str(DAYS[-1]))

    with np.errstate(all="ignore"):
        found = exposures_of(later, prices)

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
    found = exposures_of(contract(settles=str(DAYS[-2])), underlyings(4))

    assert [found.delta.unavailable[row, 0] for row in range(4)] == [None, None, EXPIRED, EXPIRED]


def test_shard_without_options_has_none() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    days = np.zeros(0, dtype="datetime64[D]")
    none = Contracts(nothing, nothing, nothing.astype(bool), nothing.astype(float), days, days, days)
    blank = np.empty((66, 0))
    prices = Underlyings(DAYS[:66], blank, blank, blank, blank, 2)

    found = exposures_of(none, prices)

    assert found.exposures(np.array([[5], [6]]), np.ones((2, 1)), prices.closes).tolist() == [[5], [6]]
    assert settlements(none, prices).position.size == 0


def test_expiration_before_the_entry_is_rejected() -> None:
    terms = OptionTerms("AAPL", Decimal(100), date(2025, 1, 2))
    with pytest.raises(ValueError, match="expire after its entry"):
        PositionTerms("X", PositionType.LC, Decimal(1), date(2025, 1, 3), Decimal(1), option=terms)
