"""Returns, drawdown and rates of return: independent libraries, identities, and what must not change them."""

from datetime import date, timedelta

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from services.portfolio.core.money_weighted import BEYOND, NO_ROOT, money_weighted_return
from services.portfolio.core.performance import Drawdown, chained_return, daily_returns, drawdown, twr_index
from shared.arrays import FloatArray, IntArray
from shared.unavailable import Unavailable

START = date(2025, 1, 2)
SEEDS = st.integers(0, 2**32 - 1)


def index_of(returns: FloatArray) -> FloatArray:
    """Return the index of returns as the roll makes it, with the close before them."""
    base: IntArray = np.full((returns.size, 1), 10**12, dtype=np.int64)
    pnl = np.rint(returns[:, None] * base).astype(np.int64)
    return np.concatenate([[1.0], twr_index(np.ones(1), pnl=pnl, base=base).values[:, 0]])


def returns_of(seed: int, sessions: int = 250) -> FloatArray:
    found: FloatArray = np.round(np.random.default_rng(seed).standard_t(4, sessions) * 0.01, 9).clip(-0.5, 0.5)
    return found


def found_drawdown(index: FloatArray) -> Drawdown:
    found = drawdown(index)
    assert isinstance(found, Drawdown)
    return found


@given(SEEDS)
def test_time_weighted_return_and_drawdown_are_those_of_empyrical(seed: int) -> None:
    returns = returns_of(seed)
    index = index_of(returns)

    assert chained_return(1.0, float(index[-1])) == pytest.approx(empyrical.cum_returns_final(returns), abs=1e-12)
    assert found_drawdown(index).deepest.depth == pytest.approx(empyrical.max_drawdown(returns), abs=1e-12)


@given(SEEDS)
def test_drawdown_at_every_close_is_that_of_pandas(seed: int) -> None:
    index = index_of(returns_of(seed))
    series = pd.Series(index)

    expected = series / series.cummax() - 1

    np.testing.assert_allclose(found_drawdown(index).series, expected, rtol=0, atol=1e-15)


@given(SEEDS, st.integers(1, 9))
def test_drawdown_does_not_depend_on_the_unit_of_the_index(seed: int, power: int) -> None:
    index = index_of(returns_of(seed))
    once, scaled = found_drawdown(index), found_drawdown(index * 2.0**power)

    np.testing.assert_array_equal(once.series, scaled.series)
    assert once.worst == scaled.worst


@given(SEEDS, st.integers(0, 200), st.integers(2, 50))
def test_drawdown_of_a_window_is_never_deeper_than_that_of_all_and_knows_no_earlier_peak(
    seed: int, first: int, sessions: int
) -> None:
    index = index_of(returns_of(seed))
    window = index[first : first + sessions]

    inside = found_drawdown(window)

    assert inside.deepest.depth >= found_drawdown(index).deepest.depth
    assert inside.series[0] == 0
    assert inside.deepest.depth == pytest.approx(min(window[t] / window[: t + 1].max() - 1 for t in range(window.size)))


@given(SEEDS)
def test_drawdown_of_closes_held_longer_is_as_deep(seed: int) -> None:
    index = index_of(returns_of(seed, 60))

    held = found_drawdown(np.repeat(index, 3))

    assert held.deepest.depth == found_drawdown(index).deepest.depth
    assert held.current == found_drawdown(index).current


@given(SEEDS)
def test_time_weighted_index_does_not_depend_on_what_is_paid_in_or_taken_out(seed: int) -> None:
    # The same returns on any capital: what flows change is the base and, with it, the P&L.
    rng, returns = np.random.default_rng(seed), returns_of(seed, 60)
    steady = index_of(returns)
    base = rng.integers(10**10, 10**15, (60, 1))
    pnl = np.rint(returns[:, None] * base).astype(np.int64)

    moved = twr_index(np.ones(1), pnl=pnl, base=base).values[:, 0]

    np.testing.assert_allclose(moved, steady[1:], rtol=60 * 1e-10)


@given(SEEDS, st.integers(1, 10**9))
def test_flow_on_a_session_without_pnl_changes_no_bit_of_the_index(seed: int, flow: int) -> None:
    base = np.random.default_rng(seed).integers(10**6, 10**9, (20, 1))
    pnl = np.rint(returns_of(seed, 20)[:, None] * base).astype(np.int64)
    pnl[7] = 0
    moved = base.copy()
    moved[7] += flow

    before, after = (twr_index(np.ones(1), pnl=pnl, base=each).values for each in (base, moved))

    np.testing.assert_array_equal(before, after)


@given(SEEDS)
def test_index_is_the_product_of_the_daily_returns(seed: int) -> None:
    base = np.random.default_rng(seed).integers(10**6, 10**9, (60, 2))
    pnl = np.rint(np.column_stack([returns_of(seed, 60), returns_of(seed + 1, 60)]) * base).astype(np.int64)

    index = twr_index(np.array([1.0, 2.0]), pnl=pnl, base=base).values
    returns = daily_returns(pnl, base).values

    np.testing.assert_allclose(index, np.cumprod(1 + returns, axis=0) * [1.0, 2.0], rtol=1e-13)


def test_index_that_grows_beyond_floats_ends_with_a_reason() -> None:
    pnl, base = np.full((30, 1), 10**16), np.ones((30, 1), dtype=np.int64)

    with np.errstate(over="ignore"):
        found = twr_index(np.ones(1), pnl=pnl, base=base)

    assert isinstance(found.at((29, 0)), Unavailable)
    assert np.isfinite(found.values[:10]).all()


def _flows(seed: int) -> tuple[list[date], FloatArray, float]:
    """Return dated amounts that a drawn rate explains, a year or more of them, and the rate."""
    rng = np.random.default_rng(seed)
    offsets = np.array([0, *np.sort(rng.integers(1, 700, 6)), 700])
    paid = np.concatenate([[1_000.0], rng.uniform(0, 400, 6)])
    rate = float(rng.uniform(-0.6, 1.5))
    worth = float((paid * (1 + rate) ** ((700 - offsets[:-1]) / 365)).sum())
    return [START + timedelta(days=int(offset)) for offset in offsets], np.concatenate([-paid, [worth]]), rate


def _present_value(rate: float, days: list[date], amounts: FloatArray) -> float:
    years = np.array([(day - days[0]).days / 365 for day in days])
    return float((amounts / (1 + rate) ** years).sum())


@given(SEEDS)
def test_money_weighted_return_is_the_root_that_scipy_finds_and_makes_the_present_value_nothing(seed: int) -> None:
    days, amounts, rate = _flows(seed)

    found = money_weighted_return(days, amounts).annual

    assert isinstance(found, float)
    assert found == pytest.approx(rate, abs=1e-10)
    oracle = brentq(_present_value, -0.99, 10.0, args=(days, amounts), xtol=1e-14)
    assert found == pytest.approx(oracle, abs=1e-10)
    assert _present_value(found, days, amounts) == pytest.approx(0, abs=1e-9 * np.abs(amounts).sum())


@given(SEEDS)
@settings(max_examples=100)
def test_money_weighted_return_that_is_told_is_the_only_rate(seed: int) -> None:
    # Amounts of every size and either sign: their worth, over a grid of growths, changes its sign but once.
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 7))
    amounts = generator.choice([-1.0, 1.0], count) * 10.0 ** generator.uniform(0, 6, count)
    ordinals = np.sort(generator.choice(2_000, count, replace=False))
    days = [START + timedelta(days=int(ordinal)) for ordinal in ordinals]

    found = money_weighted_return(days, amounts).period

    growths = np.linspace(-60.0, 60.0, 20_001)[:, None]
    times = (ordinals - ordinals[0]) / (ordinals[-1] - ordinals[0])
    worths = np.exp(-growths * np.where(growths > 0, times, times - 1.0)) @ amounts
    changes = int((np.sign(worths[1:]) != np.sign(worths[:-1])).sum())
    assert changes <= 1 or isinstance(found, Unavailable)


@given(SEEDS)
@settings(max_examples=15)
def test_money_weighted_return_does_not_depend_on_order_or_on_amounts_of_nothing(seed: int) -> None:
    days, amounts, _ = _flows(seed)
    order = np.random.default_rng(seed).permutation(len(days))
    shuffled = [days[index] for index in order]

    once = money_weighted_return(days, amounts).annual

    assert money_weighted_return(shuffled, amounts[order]).annual == pytest.approx(once, abs=1e-11)
    padded = money_weighted_return([*days, days[3]], np.append(amounts, 0.0))
    assert padded.annual == pytest.approx(once, abs=1e-12)


@given(SEEDS)
@settings(max_examples=15)
def test_money_weighted_return_of_steady_growth_is_the_time_weighted_one_whatever_the_flows(seed: int) -> None:
    # One rate throughout: when money comes and goes does not matter.
    days, amounts, rate = _flows(seed)

    found = money_weighted_return(days, amounts).period

    assert found == pytest.approx((1 + rate) ** (700 / 365) - 1, rel=1e-9)


def test_rate_beyond_any_number_is_none() -> None:
    # A cent becomes a million in a day: 10^8 to the power of the other 399 days that the window has.
    days = [START, START + timedelta(days=1), START + timedelta(days=400)]

    found = money_weighted_return(days, np.array([-0.01, 1e6, 1e-300]))

    assert (found.period, found.annual) == (BEYOND, BEYOND)


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_amount_that_is_none_has_no_rate(amount: float) -> None:
    days = [START, START + timedelta(days=100), START + timedelta(days=400)]

    with np.errstate(invalid="ignore"):
        found = money_weighted_return(days, np.array([-1.0, amount, 2.0]))

    assert (found.period, found.annual) == (NO_ROOT, NO_ROOT)
