"""Whose cells are expected when."""

from datetime import UTC, date, datetime
from uuid import UUID

from services.scheduler.core.books import Book, Expected, Holding
from services.scheduler.core.cells import CellPart, Fact, SaidPart, grid_of
from shared.calendar import sessions_between

SESSIONS = sessions_between(date(2025, 3, 10), date(2025, 3, 14))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = SESSIONS
ASKED = datetime(2025, 3, 17, tzinfo=UTC)


def book(number: int, opened_on: date, *holdings: Holding) -> Book:
    return Book(str(UUID(int=number)), None, opened_on, holdings)


def said(session: date, fact: Fact, *done: str) -> SaidPart:
    return SaidPart(CellPart(session, fact, done, {}), UUID(int=1), 0, ASKED)


def test_symbol_is_expected_from_the_first_book_that_holds_it_to_the_last() -> None:
    early = book(1, MONDAY, Holding("A", date(2024, 1, 2), TUESDAY), Holding("B", TUESDAY, None))
    late = book(2, WEDNESDAY, Holding("A", MONDAY, THURSDAY))
    expected = Expected.of([early, late], {})

    assert [expected.symbols_on(session) for session in (date(2025, 3, 7), *SESSIONS)] == [
        [],
        ["A"],
        *[["A", "B"]] * 3,
        ["B"],
    ]
    assert expected.subjects_on(TUESDAY, Fact.SNAPSHOT) == [early.portfolio_id]
    assert expected.subjects_on(WEDNESDAY, Fact.ASSESSMENT) == [early.portfolio_id, late.portfolio_id]
    assert expected.subjects_on(TUESDAY, Fact.METRICS) == ["A", "B"]


def test_book_needs_what_it_holds_at_the_session_but_no_contract() -> None:
    mine = book(
        1, TUESDAY, Holding("A", MONDAY, None), Holding("A2503C", MONDAY, None, True), Holding("Z", FRIDAY, None)
    )
    assert [mine.symbols_on(session) for session in SESSIONS] == [(), ("A",), ("A",), ("A",), ("A", "Z")]
    grid = grid_of([said(MONDAY, Fact.FACTORS, "A2503C")])
    assert Expected.of([mine], grid).symbols_on(TUESDAY) == ["A"]


def test_symbol_of_no_book_is_expected_from_its_first_factors() -> None:
    grid = grid_of(
        [
            said(MONDAY, Fact.BARS, "SPY"),
            said(WEDNESDAY, Fact.FACTORS, "SPY"),
            said(TUESDAY, Fact.FACTORS, "SPY"),
            said(FRIDAY, Fact.FACTORS, "SPY", "TLT"),
        ]
    )
    expected = Expected.of([], grid)
    assert [expected.symbols_on(session) for session in SESSIONS] == [[], *[["SPY"]] * 3, ["SPY", "TLT"]]


def test_nothing_is_expected_of_a_book_after_it_was_closed() -> None:
    closed = Book(str(UUID(int=1)), None, MONDAY, (Holding("A", MONDAY, WEDNESDAY),), WEDNESDAY)
    goes_on = book(2, MONDAY, Holding("B", MONDAY, None))
    expected = Expected.of([closed, goes_on], {})

    assert [closed.symbols_on(session) for session in SESSIONS] == [("A",), ("A",), ("A",), (), ()]
    assert [expected.symbols_on(session) for session in SESSIONS] == [*[["A", "B"]] * 3, ["B"], ["B"]]
    both = [closed.portfolio_id, goes_on.portfolio_id]
    assert [expected.portfolios_on(session) for session in SESSIONS] == [*[both] * 3, *[[goes_on.portfolio_id]] * 2]
