"""Positions as they may be entered: types, signs, prices and the order of exits."""

from datetime import date
from decimal import Decimal

import pytest

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


@pytest.mark.parametrize(("kind", "quantity"), [("LONG", 12), ("PRIVATE", 1)])
def test_terms_of_a_gift_cost_nothing(kind: str, quantity: int) -> None:
    assert PositionTerms("AAA", PositionType(kind), Decimal(quantity), DAY, Decimal(0)).cost == 0


@pytest.mark.parametrize(("kind", "quantity"), [("SHORT", -1), ("LC", 1), ("SP", -1)])
def test_terms_of_what_nobody_gives_are_refused_without_a_price(kind: str, quantity: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        PositionTerms("AAA", PositionType(kind), Decimal(quantity), DAY, Decimal(0))
