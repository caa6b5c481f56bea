import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.adjustment import adjustment_changed, total_return_adjusted


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)[:, None]


def test_total_return_adjusted_without_events_is_the_close() -> None:
    close = column(10.0, np.nan, 11.0)

    assert np.array_equal(total_return_adjusted(close, column(1, 1, 1), column(0, 0, 0)), close, equal_nan=True)


def test_total_return_adjusted_across_a_split_keeps_the_return() -> None:
    # 4:1, then +2 %
    adjusted = total_return_adjusted(column(100.0, 25.0, 25.5), column(1, 4, 1), column(0, 0, 0))

    assert adjusted[:, 0] == pytest.approx([25.0, 25.0, 25.5], rel=1e-12)


def test_total_return_adjusted_across_a_dividend_uses_the_crsp_factor() -> None:
    # 1 - 2/100 on everything before the ex date
    adjusted = total_return_adjusted(column(50.0, 100.0, 98.0), column(1, 1, 1), column(0, 0, 2))

    assert adjusted[:, 0] == pytest.approx([49.0, 98.0, 98.0], rel=1e-12)


def test_total_return_adjusted_with_a_hole_before_the_event_uses_the_last_bar() -> None:
    adjusted = total_return_adjusted(column(100.0, np.nan, 49.0), column(1, 1, 2), column(0, 0, 1))

    assert adjusted[[0, 2], 0] == pytest.approx([49.0, 49.0], rel=1e-12)


def test_total_return_adjusted_before_a_dividend_of_the_whole_price_reinvests_it_at_the_close() -> None:
    # 10 are worth 10 + 5 at the close, of which a third is the share
    adjusted = total_return_adjusted(column(10.0, 10.0, 5.0), column(1, 1, 1), column(0, 0, 10))

    assert adjusted[:, 0] == pytest.approx([10.0 / 3.0, 10.0 / 3.0, 5.0], rel=1e-12)


# Two halves a share are at most 1: no dividend is the whole price.
@given(
    st.lists(st.tuples(st.floats(2, 500), st.sampled_from([1.0, 2.0, 0.1]), st.floats(0, 0.5)), min_size=2, max_size=12)
)
def test_total_return_adjusted_returns_equal_the_holder_s(bars: list[tuple[float, float, float]]) -> None:
    close, split, dividend = (np.array(values)[:, None] for values in zip(*bars, strict=True))

    adjusted = total_return_adjusted(close, split, dividend)

    # selling D's worth of shares cum dividend at the previous close is what 1 - D/C(prev) means
    holder = close[1:] * split[1:] / (close[:-1] - dividend[1:] * split[1:])
    assert adjusted[1:] / adjusted[:-1] == pytest.approx(holder, rel=1e-9)


@given(st.permutations(range(4)), st.integers(1, 4))
def test_total_return_adjusted_of_a_symbol_does_not_depend_on_its_batch_mates(order: list[int], size: int) -> None:
    random = np.random.default_rng(3)
    close, split = random.uniform(1, 9, (40, 4)), random.choice([1.0, 2.0], (40, 4))
    dividend = random.uniform(0, 0.01, (40, 4))
    picked = order[:size]

    whole = total_return_adjusted(close, split, dividend)[:, picked]

    assert np.array_equal(whole, total_return_adjusted(close[:, picked], split[:, picked], dividend[:, picked]))


def test_adjustment_changed_with_a_small_new_dividend_is_seen_and_rounding_is_not() -> None:
    stored = np.array([[500.0, 500.0, 500.0, np.nan], [501.0, 501.0, 501.0, 2.0]])
    fetched = stored * np.array([1.0, 1 + 2e-6, 1 - 0.01 / 500, 1.0])
    fetched[0, 3] = 7.0

    assert adjustment_changed(stored, fetched).tolist() == [False, False, True, False]


def test_adjustment_changed_without_common_sessions_is_false() -> None:
    assert adjustment_changed(np.full((3, 1), np.nan), np.ones((3, 1))).tolist() == [False]
    assert adjustment_changed(np.empty((0, 2)), np.empty((0, 2))).tolist() == [False, False]
