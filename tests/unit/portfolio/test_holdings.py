"""What the owner of a book says it holds."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from services.portfolio.core.positions import Exit, OptionTerms, Position, PositionTerms, PositionType
from services.portfolio.events import holdings
from shared.contracts.portfolio import Holding

JANUARY, FEBRUARY, MARCH = date(2025, 1, 2), date(2025, 2, 3), date(2025, 3, 3)


def lot(symbol: str, entered: date, *exits: Exit, option: OptionTerms | None = None, private: bool = False) -> Position:
    kind = PositionType.PRIVATE if private else PositionType.LONG if option is None else PositionType.LC
    terms = PositionTerms(symbol, kind, Decimal(10), entered, Decimal(1), exits, option=option)
    return Position(UUID(int=1), UUID(int=2), terms)


def sold(on: date, quantity: int | None = None) -> Exit:
    return Exit(on, Decimal(1), None if quantity is None else Decimal(quantity))


def test_symbol_is_held_from_its_first_lot_to_the_end_of_its_last() -> None:
    closed = [lot("A", FEBRUARY, sold(MARCH)), lot("A", JANUARY, sold(FEBRUARY))]
    still_open = [lot("B", FEBRUARY), lot("B", JANUARY, sold(FEBRUARY))]
    assert holdings(closed + still_open) == (
        Holding(symbol="A", since=JANUARY, until=MARCH),
        Holding(symbol="B", since=JANUARY),
    )


def test_exit_of_a_quantity_may_leave_some_behind() -> None:
    assert holdings([lot("A", JANUARY, sold(FEBRUARY, 10))]) == (Holding(symbol="A", since=JANUARY),)


def test_option_needs_its_underlying_as_long_as_the_shares_it_ends_in_and_private_holdings_need_nobody() -> None:
    option = lot("U2503C", JANUARY, option=OptionTerms("U", Decimal(100), MARCH))
    assert holdings([option, lot("HOUSE", JANUARY, private=True)]) == (
        Holding(symbol="U", since=JANUARY),
        Holding(symbol="U2503C", since=JANUARY, until=MARCH, contract=True),
    )


def test_option_on_an_index_ends_in_cash_and_needs_it_no_longer() -> None:
    option = lot("SPX2503C", JANUARY, option=OptionTerms("SPX", Decimal(100), MARCH))
    assert holdings([option]) == (
        Holding(symbol="SPX", since=JANUARY, until=MARCH),
        Holding(symbol="SPX2503C", since=JANUARY, until=MARCH, contract=True),
    )


def test_closed_portfolio_needs_nothing_after_its_last_session() -> None:
    held = [lot("A", JANUARY), lot("B", JANUARY, sold(FEBRUARY))]
    assert holdings(held, closed_on=MARCH) == (
        Holding(symbol="A", since=JANUARY, until=MARCH),
        Holding(symbol="B", since=JANUARY, until=FEBRUARY),
    )
