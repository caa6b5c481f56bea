"""Positions files as people have them (`tests/cases`), and what they say."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from services.portfolio.core.csv_import import parse_positions_csv
from services.portfolio.core.positions import Exit, PositionTerms, PositionType

CASES = Path(__file__).parents[2] / "cases"
DAY = date(2022, 12, 20)
APPLE = PositionTerms("AAPL", PositionType.LONG, Decimal(10), DAY, Decimal("185.50"))


def lot(symbol: str, quantity: str, price: str, *exits: Exit) -> PositionTerms:
    return PositionTerms(symbol, PositionType.LONG, Decimal(quantity), DAY, Decimal(price), exits)


@pytest.mark.parametrize(
    ("file", "positions"),
    [
        ("01-zero-cost.csv", [lot("USDX", "12", "0")]),
        ("02-btc-9-decimals.csv", [lot("BTC-USD", "0.009124491", "16650")]),
        ("03-shib-price.csv", [lot("SHIB-USD", "1000000", "0.00000845")]),
        (
            "04-two-fills-one-day.csv",
            [
                lot("QQQ", "2", "3.10", Exit(DAY, Decimal("3.60"))),
                lot("QQQ", "2", "2.90", Exit(DAY, Decimal("2.10"))),
            ],
        ),
        ("09-semicolon-excel-de.csv", [APPLE]),
        ("10-sep-line.csv", [APPLE]),
        ("12-tab.csv", [APPLE]),
        ("16-trailing-commas.csv", [APPLE]),
        ("17-header-case.csv", [APPLE]),
        ("24-ibkr-avg-cost.csv", [lot("USDX", "3.7843", "10.123456789")]),
    ],
)
def test_positions_file_that_people_have_is_taken(file: str, positions: list[PositionTerms]) -> None:
    outcome = parse_positions_csv((CASES / file).read_bytes(), today=date(2022, 12, 28))
    assert (outcome.errors, list(outcome.positions)) == ((), positions)


def test_positions_file_with_what_is_no_holding_says_of_each_row_what_it_is() -> None:
    content = (CASES / "18-symbols.csv").read_text()
    outcome = parse_positions_csv(content.encode(), today=date(2022, 12, 28))
    assert [(error.line, error.code, error.message.split(", ")[0].split(";")[0]) for error in outcome.errors] == [
        (4, "ERR_POS_003", "'^SPX' is an index"),
        (5, "ERR_POS_003", "'EURUSD=X' is a currency pair"),
        (6, "ERR_POS_003", "'SPAXX**' is a money-market fund that a broker keeps cash in"),
        (7, "ERR_POS_003", "'$CASH' is cash"),
    ]
    held = [line for line in content.splitlines() if line[0] not in "^E" and "**" not in line and "$" not in line]
    taken = parse_positions_csv("\n".join(held).encode(), today=date(2022, 12, 28))
    assert [terms.symbol for terms in taken.positions] == ["BRK.B", "BRK.B", "7203.T"]
