import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.splits import unrounded
from tests.unit.market_data.core.rows import DAYS, check, raw


@pytest.mark.parametrize(
    ("given_factor", "meant"),
    [
        (0.1428572, 1 / 7),
        (0.06666667, 1 / 15),
        (1.333333, 4 / 3),
        (0.00666667, 1 / 150),
        (0.6666667, 2 / 3),
        (20.0, 20.0),
        (1.25, 1.25),
    ],
)
def test_factor_that_a_vendor_rounded_is_the_fraction_that_it_was(given_factor: float, meant: float) -> None:
    assert unrounded(np.array([given_factor])).tolist() == [meant]


@pytest.mark.parametrize("factor", [1.0461, 0.333, 0.142858, 1.0, -2.0, np.inf])
def test_factor_that_is_near_no_small_fraction_is_what_it_is(factor: float) -> None:
    assert unrounded(np.array([factor])).tolist() == [factor]


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_no_factor_moves_by_more_than_its_rounding_and_one_that_was_moved_stays(factor: float) -> None:
    once = unrounded(np.array([factor]))

    assert abs(once[0] / factor - 1.0) <= 1.0000001e-6
    assert unrounded(once).tolist() == once.tolist()


def test_check_rows_with_a_rounded_split_takes_the_fraction() -> None:
    checked = check(raw({"day": DAYS[0], "close": 30.0}, {"day": DAYS[1], "close": 210.0, "split": 0.1428572}))

    assert checked.bars.split[:2, 0].tolist() == [1.0, 1 / 7]
