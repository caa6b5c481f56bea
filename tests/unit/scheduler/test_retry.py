"""What of a run has to be done again."""

from datetime import UTC, date, datetime
from uuid import UUID

from services.scheduler.core.backfill_plan import Scope, Selection
from services.scheduler.core.books import Book, Expected, Holding
from services.scheduler.core.cells import CellPart, Fact, SaidPart, Why, grid_of
from services.scheduler.core.retry import Undone, undone_of
from shared.calendar import sessions_between

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK = sessions_between(date(2025, 3, 10), date(2025, 3, 14))
MINE, YOURS = (str(UUID(int=index)) for index in (1, 2))
BOOKS = (
    Book(MINE, "mine", MONDAY, (Holding("A", MONDAY, None), Holding("B", MONDAY, TUESDAY))),
    Book(YOURS, "yours", MONDAY, (Holding("C", MONDAY, None),)),
)
RUN, LATER = UUID(int=8), UUID(int=9)
LACK = Why("MISSING_DATA", "no bar")
SYMBOLS, PORTFOLIOS = (Fact.BARS, Fact.FACTORS, Fact.METRICS), (Fact.SNAPSHOT, Fact.ASSESSMENT)


def said(session: date, fact: Fact, *done: str, failed: tuple[str, ...] = (), run: UUID = RUN) -> SaidPart:
    asked_at = datetime(2025, 3, 14, run.int, tzinfo=UTC)
    return SaidPart(CellPart(session, fact, done, dict.fromkeys(failed, LACK)), run, 0, asked_at)


def everything() -> list[SaidPart]:
    """All of the week, as it should be."""
    symbols = [said(session, fact, "A", "B", "C") for session in WEEK for fact in SYMBOLS]
    return symbols + [said(session, fact, MINE, YOURS) for session in WEEK for fact in PORTFOLIOS]


def undone(parts: list[SaidPart], scope: Scope | None = None) -> Undone | None:
    own = [each for each in parts if each.run_id == RUN]
    return undone_of(Selection(MONDAY, FRIDAY, scope or Scope()), own, grid_of(parts), Expected(BOOKS, {}))


def but(*others: SaidPart) -> list[SaidPart]:
    """Everything, with other words on some cells."""
    said_otherwise = {(each.part.session, each.part.fact) for each in others}
    return [each for each in everything() if (each.part.session, each.part.fact) not in said_otherwise] + [*others]


def test_of_a_run_that_did_everything_nothing_is_undone() -> None:
    assert undone(everything()) is None


def test_failed_symbols_are_undone_with_the_portfolios_that_hold_them_then() -> None:
    parts = but(
        said(TUESDAY, Fact.BARS, "A", "C", failed=("B",)), said(THURSDAY, Fact.FACTORS, "A", "C", failed=("B",))
    )
    assert undone(parts) == Undone(TUESDAY, THURSDAY, ("B",), (MINE,))
    # Sold by then.
    assert undone(but(said(THURSDAY, Fact.BARS, "A", "C", failed=("B",)))) == Undone(THURSDAY, THURSDAY, ("B",), ())


def test_failed_portfolio_is_undone_without_symbols() -> None:
    parts = but(said(FRIDAY, Fact.ASSESSMENT, MINE, failed=(YOURS,)))
    assert undone(parts) == Undone(FRIDAY, FRIDAY, (), (YOURS,))


def test_what_a_later_run_has_done_is_left_out() -> None:
    failed = but(said(FRIDAY, Fact.BARS, "A", failed=("B", "C")))
    assert undone([*failed, said(FRIDAY, Fact.BARS, "C", run=LATER)]) == Undone(FRIDAY, FRIDAY, ("B",), ())


def test_what_never_came_is_undone_where_it_was_asked_for() -> None:
    parts = [each for each in everything() if each.part.session < THURSDAY or each.part.fact in SYMBOLS]
    assert undone(parts) == Undone(THURSDAY, FRIDAY, (), (MINE, YOURS))
    assert undone(parts, Scope(frozenset({"A"}), frozenset({YOURS}))) == Undone(THURSDAY, FRIDAY, (), (YOURS,))
    assert undone(parts, Scope(None, frozenset())) is None


def test_failed_symbol_that_no_book_holds_is_undone_too() -> None:
    assert undone([*everything(), said(MONDAY, Fact.BARS, failed=("SPY",))]) == Undone(MONDAY, MONDAY, ("SPY",), ())


def test_who_is_named_is_undone_at_every_session_whatever_was_said_of_it() -> None:
    named = Scope(frozenset({"B"}), frozenset({YOURS}))
    own = everything()
    found = undone_of(Selection(MONDAY, FRIDAY, Scope()), own, grid_of(own), Expected(BOOKS, {}), named=named)
    assert found == Undone(MONDAY, FRIDAY, ("B",), (MINE, YOURS))
