"""Drawdown and money-weighted return: by hand, against plain loops, identities, and what cannot be said."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import newton

from services.portfolio.core.money_weighted import NO_MONEY, NO_ROOT, NO_TIME, ONE_SIGN, money_weighted_return
from services.portfolio.core.performance import CHAIN_BROKEN, NOTHING_LEFT, Drawdown, chained_return, drawdown
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable

START = date(2025, 1, 2)


def _days(*offsets: int) -> list[date]:
    return [START + timedelta(days=offset) for offset in offsets]


def test_drawdown_by_hand() -> None:
    found = drawdown(np.array([1.0, 1.2, 0.9, 1.08, 1.2, 1.3, 1.17]))

    assert isinstance(found, Drawdown)
    assert found.deepest.depth == pytest.approx(-0.25)
    assert (found.deepest.peak, found.deepest.trough, found.deepest.recovery) == (1, 2, 4)
    assert found.current == pytest.approx(-0.1)


def test_worst_falls_by_hand() -> None:
    found = drawdown(np.array([1.0, 1.2, 1.2, 0.9, 1.08, 1.2, 1.3, 1.17, 1.3, 1.04, 1.17]))

    assert isinstance(found, Drawdown)
    assert [(fall.peak, fall.trough, fall.recovery) for fall in found.worst] == [(2, 3, 5), (8, 9, None), (6, 7, 8)]
    assert [fall.depth for fall in found.worst] == pytest.approx([-0.25, -0.2, -0.1])
    assert found.deepest == found.worst[0]


def test_no_more_than_the_worst_falls_are_listed() -> None:
    index = np.array([1.0] + [1.0 - 0.01 * size if size else 1.0 for size in (1, 0, 4, 0, 2, 0, 6, 0, 3, 0, 5, 0)])

    found = drawdown(index)

    assert isinstance(found, Drawdown)
    assert [round(fall.depth, 10) for fall in found.worst] == [-0.06, -0.05, -0.04, -0.03, -0.02]


def test_drawdown_that_has_not_recovered_says_so() -> None:
    found = drawdown(np.array([1.0, 0.5, 0.9]))

    assert isinstance(found, Drawdown)
    assert (found.deepest.depth, found.deepest.peak, found.deepest.trough, found.deepest.recovery) == (-0.5, 0, 1, None)


def test_index_that_only_rises_has_no_drawdown() -> None:
    found = drawdown(np.array([1.0, 1.0, 1.1]))

    assert isinstance(found, Drawdown)
    assert (found.deepest.depth, found.current, found.worst) == (0.0, 0.0, ())


def test_total_loss_is_a_drawdown_of_everything() -> None:
    found = drawdown(np.array([1.0, 0.0, 0.0]))

    assert isinstance(found, Drawdown)
    assert (found.deepest.depth, found.deepest.trough) == (-1.0, 1)


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=60))
def test_drawdown_is_the_worst_pair_of_a_plain_loop(returns: list[float]) -> None:
    index: FloatArray = np.cumprod([1.0, *(1 + r for r in returns)]).astype(np.float64)

    found = drawdown(index)

    worst = min(
        index[later] / index[earlier] - 1 for earlier in range(index.size) for later in range(earlier, index.size)
    )
    assert isinstance(found, Drawdown)
    assert found.deepest.depth == pytest.approx(worst, abs=1e-12)
    closes = [place for fall in found.worst for place in range(fall.peak + 1, fall.recovery or index.size)]
    assert len(closes) == len(set(closes))
    assert index[found.deepest.trough] / index[found.deepest.peak] - 1 == pytest.approx(found.deepest.depth, abs=1e-12)


def test_broken_chain_has_neither_return_nor_drawdown() -> None:
    assert drawdown(np.array([1.0, np.nan])) == CHAIN_BROKEN
    assert chained_return(1.0, float("nan")) == CHAIN_BROKEN
    assert chained_return(1.1, 1.21) == pytest.approx(0.1)
    found = drawdown(np.array([1.0]))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.INSUFFICIENT_HISTORY


def test_window_that_begins_after_a_total_loss_has_neither_return_nor_drawdown() -> None:
    assert chained_return(0.0, 0.0) == NOTHING_LEFT
    assert drawdown(np.zeros(3)) == NOTHING_LEFT


def test_money_weighted_return_without_flows_is_the_plain_return() -> None:
    found = money_weighted_return(_days(0, 100), np.array([-1_000.0, 1_100.0]))

    assert found.period == pytest.approx(0.1, rel=1e-12)
    assert found.annual == Unavailable(Reason.NOT_APPLICABLE, "100 days are no year")


@pytest.mark.parametrize("back", [(91.36, 61.06, 73.22), (93.57, 81.77, 1.27), (38.98, 99.72, 98.1, 68.87)])
def test_money_weighted_return_of_what_comes_back_as_it_was_is_nothing(back: tuple[float, ...]) -> None:
    # Added up in one order there is a rounding left, in another there is none.
    amounts = np.array([-sum(back), *back])

    found = money_weighted_return(_days(*range(0, 100 * len(amounts), 100)), amounts)

    assert found.period == pytest.approx(0.0, abs=1e-15)


def test_money_weighted_return_over_two_years_by_hand() -> None:
    # 1,000 for two years and 1,000 for one at 10 %: 1,210 + 1,100.
    found = money_weighted_return(_days(0, 365, 730), np.array([-1_000.0, -1_000.0, 2_310.0]))

    assert found.annual == pytest.approx(0.1, rel=1e-12)
    assert found.period == pytest.approx(0.21, rel=1e-12)


def test_money_weighted_return_matches_the_published_example_of_xirr() -> None:
    # The example in the documentation of a spreadsheet's XIRR: 37.336 %.
    days = [date(2008, 1, 1), date(2008, 3, 1), date(2008, 10, 30), date(2009, 2, 15), date(2009, 4, 1)]

    found = money_weighted_return(days, np.array([-10_000.0, 2_750.0, 4_250.0, 3_250.0, 2_750.0]))

    assert found.annual == pytest.approx(0.373362535, abs=1e-8)


@given(st.integers(0, 2**32 - 1))
def test_money_weighted_return_solves_the_equation_as_newton_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.sort(rng.integers(1, 700, 5)), [700]])
    flows = rng.uniform(0, 500, 5)
    rate = rng.uniform(-0.5, 1.0)
    worth = 1_000 * (1 + rate) ** (700 / 365) + (flows * (1 + rate) ** ((700 - offsets[1:-1]) / 365)).sum()

    found = money_weighted_return(_days(*offsets.tolist()), np.array([-1_000.0, *(-flows), worth])).annual

    assert found == pytest.approx(rate, abs=1e-9)

    def value(guess: float) -> float:
        amounts = np.array([-1_000.0, *(-flows), worth])
        return float((amounts / (1 + guess) ** (offsets / 365)).sum())

    assert found == pytest.approx(float(newton(value, rate + 0.01)), abs=1e-7)


@pytest.mark.parametrize(
    ("offsets", "amounts", "expected"),
    [
        ((0, 0), (-1.0, 2.0), NO_TIME),
        ((0, 10), (-1.0, -2.0), ONE_SIGN),
        ((0, 10), (0.0, 0.0), NO_MONEY),
        ((0, 0, 10, 10), (-1.0, 1.0, 2.0, -2.0), NO_MONEY),
        # 2 v - 1.2 v^2 is at most 0.83.
        ((0, 365, 730), (-1.0, 2.0, -1.2), NO_ROOT),
    ],
)
def test_flows_without_one_rate_have_a_reason(
    offsets: tuple[int, ...], amounts: tuple[float, ...], expected: Unavailable
) -> None:
    assert money_weighted_return(_days(*offsets), np.array(amounts)).period == expected


@pytest.mark.parametrize(
    ("offsets", "amounts", "rates"),
    [
        # (1 - 1.1 v)(1 - 1.2 v), a year's 10 % and 20 %; (1 - 0.5 v)(1 - 1.1 v)(1 - 30 v): -50 %, 10 % and 2900 %.
        ((0, 365, 730), (-1.0, 2.3, -1.32), (1.1, 1.2)),
        ((0, 365, 730, 1095), (-1.0, 31.6, -48.55, 16.5), (0.5, 1.1, 30.0)),
        # The second rate beyond any that a book has earned, and one of -99.9 %.
        ((0, 365, 730), (-1.0, 1e6 + 1.1, -1.1e6), (1.1, 1e6)),
        ((0, 365, 730), (-1.0, 1.101, -0.0011), (0.001, 1.1)),
    ],
)
def test_flows_that_several_rates_explain_say_which(
    offsets: tuple[int, ...], amounts: tuple[float, ...], rates: tuple[float, ...]
) -> None:
    found = money_weighted_return(_days(*offsets), np.array(amounts)).period

    told = ", ".join(f"{rate - 1:.6g}" for rate in rates)
    why = f"several rates of return explain the flows, a year {told}"
    assert found == Unavailable(Reason.DEGENERATE_INPUT, why)


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 0.5, 0.999, 1.0, 1.001, 11.0, 1e3, 1e9, 1e30])
def test_one_rate_is_found_wherever_it_lies(factor: float) -> None:
    # Amounts that change their sign seven times, at one rate only: what is paid in for a day each.
    days, amounts = _days(0, 1, 100, 101, 200, 201, 700, 701), np.array([-1.0, 1.0] * 4)
    amounts[1::2] *= factor ** (1 / 365)

    found = money_weighted_return(days, amounts).annual

    assert found == pytest.approx(factor - 1, rel=1e-11, abs=1e-11)


def test_rate_that_the_worth_only_touches_is_the_one_rate() -> None:
    # -(1 - 1.1 v)^2
    found = money_weighted_return(_days(0, 365, 730), np.array([-1.0, 2.2, -1.21]))

    assert found.annual == pytest.approx(0.1, abs=1e-9)


def test_nothing_before_the_first_and_after_the_last_money_changes_nothing() -> None:
    # 1,000 for 211 days at 10 %: a book opened long before has the same rate, and no year's.
    paid = money_weighted_return(_days(148, 359), np.array([-1_000.0, 1_100.0]))

    waited = money_weighted_return(_days(0, 148, 200, 359, 400), np.array([0.0, -1_000.0, 0.0, 1_100.0, 0.0]))

    assert paid == waited
    assert waited.period == pytest.approx(0.1, rel=1e-14)
    assert waited.annual == Unavailable(Reason.NOT_APPLICABLE, "211 days are no year")


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
@settings(max_examples=40)
def test_rates_of_any_flows_are_the_positive_roots_of_their_polynomial(seed: int, n_amounts: int) -> None:
    # One amount a year: numpy's companion matrix has every root of the polynomial in the year's growth.
    rng = np.random.default_rng(seed)
    amounts = np.round(rng.uniform(-100, 100, n_amounts), 2)
    days = [START + timedelta(days=365 * year) for year in range(n_amounts)]

    found = money_weighted_return(days, amounts).annual

    told = amounts[np.flatnonzero(amounts)[0] : np.flatnonzero(amounts)[-1] + 1] if amounts.any() else amounts
    roots = np.roots(told)
    growths = roots[(np.abs(roots.imag) < 1e-7 * np.abs(roots)) & (roots.real > 0)].real
    if isinstance(found, Unavailable):
        assert growths.size != 1
    else:
        assert growths.size == 1
        assert found == pytest.approx(growths[0] - 1, rel=1e-7)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e9))
@settings(max_examples=15)
def test_currency_unit_does_not_change_the_rate(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    amounts = np.array([-1_000.0, -rng.uniform(0, 500), rng.uniform(800, 3_000)])

    once = money_weighted_return(_days(0, 50, 400), amounts)
    scaled = money_weighted_return(_days(0, 50, 400), amounts * unit)

    assert scaled.annual == pytest.approx(once.annual, rel=1e-9)
