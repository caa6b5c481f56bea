"""What a book is understood to be before it is priced, worked by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from services.portfolio.core.csv_import import parse_positions_csv
from services.portfolio.core.positions import Exit, OptionTerms, PositionTerms, PositionType
from services.portfolio.core.understanding import understand
from shared.unavailable import Reason, Unavailable

OPENED = date(2022, 12, 19)
BEFORE, AFTER, LATER = date(2022, 12, 1), date(2022, 12, 20), date(2022, 12, 21)
SAMPLES = Path(__file__).parents[3] / "services" / "ops" / "samples"


def lot(quantity: str, price: str, on: date, *exits: Exit, kind: str = "LONG") -> PositionTerms:
    option = OptionTerms("SPY", Decimal(400), date(2023, 1, 20)) if kind == "LC" else None
    return PositionTerms("AAA", PositionType(kind), Decimal(quantity), on, Decimal(price), exits, option=option)


@pytest.mark.parametrize(
    ("position", "gross", "cash_left"),
    [
        (lot("10", "20", AFTER), "200.00", "9800.00"),
        (lot("-10", "20", AFTER, kind="SHORT"), "200.00", "10200.00"),
        (lot("2", "3.10", AFTER, kind="LC"), "620.00", "9380.00"),
        (lot("12", "0", AFTER), "0.00", "10000.00"),
        # 4 of 10 sold at 25, then the rest at 30: 100 + 180 for 200
        (lot("10", "20", AFTER, Exit(LATER, Decimal(25), Decimal(4))), "120.00", "9900.00"),
        (lot("10", "20", AFTER, Exit(LATER, Decimal(25), Decimal(4)), Exit(LATER, Decimal(30))), "0.00", "10080.00"),
        # bought back at 15: 50 gained
        (lot("-10", "20", AFTER, Exit(LATER, Decimal(15)), kind="SHORT"), "0.00", "10050.00"),
        # of those from before, 6 are there when it opens, whatever the 4 brought
        (lot("10", "20", BEFORE, Exit(BEFORE, Decimal(99), Decimal(4))), "120.00", "9880.00"),
        (lot("10", "20", BEFORE, Exit(BEFORE, Decimal(99))), "0.00", "10000.00"),
        (lot("10", "20", BEFORE, Exit(LATER, Decimal(25))), "0.00", "10050.00"),
    ],
)
def test_understanding_of_one_position_is_that_of_its_trades(
    position: PositionTerms, gross: str, cash_left: str
) -> None:
    found = understand([position], opening_equity=Decimal(10_000), opened_on=OPENED)

    assert (found.gross, found.cash_left) == (Decimal(gross), Decimal(cash_left))
    assert found.gross_over_equity == float(Decimal(gross) / 10_000)


def test_understanding_counts_what_was_entered_before_the_opening() -> None:
    book = [lot("1", "1", BEFORE), lot("1", "1", OPENED), lot("1", "1", AFTER)]
    found = understand(book, opening_equity=Decimal(100), opened_on=OPENED)
    assert (found.positions, found.before_opening, found.first_entry) == (3, 1, BEFORE)


def test_understanding_names_exits_of_more_than_was_held() -> None:
    much, all_of_it = Exit(AFTER, Decimal(30), Decimal(11)), Exit(AFTER, Decimal(30), Decimal(10))
    found = understand(
        [lot("10", "20", OPENED, all_of_it), lot("10", "20", OPENED, much)],
        opening_equity=Decimal(500),
        opened_on=OPENED,
    )
    assert found.oversold == (f"closes 11 of AAA on {AFTER}, when 10 were held",)


def test_understanding_of_a_book_without_equity_has_no_share_of_it() -> None:
    found = understand([], opening_equity=Decimal(0), opened_on=OPENED)
    assert found.gross_over_equity == Unavailable(Reason.DEGENERATE_INPUT, "the opening equity is 0")


def test_sample_that_is_long_only_is_not_levered_by_what_its_header_says() -> None:
    sample = parse_positions_csv((SAMPLES / "long-only.csv").read_bytes(), today=date(2022, 12, 28))
    found = understand(sample.positions, opening_equity=Decimal(1_300_000), opened_on=date(2022, 11, 25))
    assert isinstance(found.gross_over_equity, float)
    assert 0.95 < found.gross_over_equity < 1
    assert found.cash_left > 0
    assert found.before_opening == 0
