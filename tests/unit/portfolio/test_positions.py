"""Types, signs, cents, tags."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.cents import cents_of, decimal_of, round_quantity, round_to_cents
from services.portfolio.core.positions import Exit, PositionTerms, PositionType, multiplier

DAY = date(2025, 6, 2)


@pytest.mark.parametrize(("kind", "times"), [("LONG", 1), ("SHORT", 1), ("PRIVATE", 1), ("LC", 100), ("SP", 100)])
def test_multiplier_is_a_hundred_for_options_only(kind: str, times: int) -> None:
    assert multiplier(PositionType(kind)) == times


@pytest.mark.parametrize(
    ("kind", "quantity"),
    [("LONG", -1), ("LC", -1), ("LP", -1), ("SHORT", 1), ("SC", 1), ("SP", 1), ("PRIVATE", 0), ("LONG", 0)],
)
def test_defect_15_quantity_whose_sign_is_not_that_of_its_type_is_refused(kind: str, quantity: int) -> None:
    with pytest.raises(ValueError, match="sign"):
        PositionTerms("AAA", PositionType(kind), Decimal(quantity), DAY, Decimal(1))


def test_terms_of_a_private_liability_are_accepted() -> None:
    assert PositionTerms("MORTGAGE", PositionType.PRIVATE, Decimal(-1), DAY, Decimal(300_000)).cost == 300_000


@pytest.mark.parametrize(
    ("quantity", "price", "exits"),
    [
        ("1", "0", ()),
        ("1", "-1", ()),
        ("999999999999", "2", ()),
        ("1", "1", (Exit(date(2025, 6, 1), Decimal(1)),)),
        ("2", "1", (Exit(date(2025, 6, 4), Decimal(1), Decimal(1)), Exit(date(2025, 6, 3), Decimal(1)))),
    ],
)
def test_terms_that_cannot_be_are_refused(quantity: str, price: str, exits: tuple[Exit, ...]) -> None:
    with pytest.raises(ValueError, match="was"):
        PositionTerms("AAA", PositionType.LONG, Decimal(quantity), DAY, Decimal(price), exits)


@pytest.mark.parametrize(("price", "size"), [("0", "1"), ("1", "0"), ("1", "-1")])
def test_exit_without_price_or_size_is_refused(price: str, size: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        Exit(DAY, Decimal(price), Decimal(size))


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
def test_round_quantity_keeps_what_six_decimals_can_store(millionths: int) -> None:
    stored = float(Decimal(millionths).scaleb(-6))
    assert round_quantity(np.array([stored])).tolist() == [stored]
