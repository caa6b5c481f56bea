"""Amounts in whole cents, and quantities as they are stored."""

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.portfolio.core.cents import cents_of, decimal_of, round_quantity, round_to_cents


@given(st.integers(-(10**7), 10**7), st.integers(1, 10**7))
def test_round_to_cents_of_a_product_is_that_of_the_decimals(quantity: int, price: int) -> None:
    # Quantities with one decimal and prices with four: many exact ties, none of them exact in floats.
    exact = Decimal(quantity) / 10 * Decimal(price) / 10_000
    expected = int((exact * 100).to_integral_value(ROUND_HALF_EVEN))
    assert round_to_cents(np.array([quantity / 10 * (price / 10_000)])).tolist() == [expected]


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 1e16])
def test_round_to_cents_of_what_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="cents"):
        round_to_cents(np.array([1.0, amount]))


@given(st.integers(-(10**17), 10**17))
def test_cents_and_decimals_are_inverse(cents: int) -> None:
    assert cents_of(decimal_of(cents)) == cents


@given(st.integers(-(10**15), 10**15))
@example(999_999_999_999_999)
def test_round_quantity_keeps_what_ten_decimals_can_store(part: int) -> None:
    stored = float(Decimal(part).scaleb(-10))
    assert round_quantity(np.array([stored])).tolist() == [stored]


@given(st.integers(0, 9 * 10**14), st.integers(1, 10**7), st.integers(0, 10))
@example(10_000_002, 1, 1)
def test_round_quantity_of_what_two_parts_leave_of_their_sum_is_nothing(part: int, rest: int, decimals: int) -> None:
    whole, first, second = (np.array([float(Decimal(n).scaleb(-decimals))]) for n in (part + rest, part, rest))
    left = round_quantity(whole - first, out_of=whole)
    assert round_quantity(left - second, out_of=left).tolist() == [0.0]
