"""How far a range of sessions is covered."""

from datetime import UTC, date, datetime
from uuid import UUID

from services.scheduler.core.books import Book, Expected, Holding
from services.scheduler.core.cells import SYMBOL_FACTS, CellPart, Fact, SaidPart, Why, grid_of
from services.scheduler.core.coverage import (
    MAX_CELLS,
    NEVER_ASKED,
    Age,
    OneSymbol,
    ReasonGroup,
    cover,
    freshness,
    reasons_of,
)
from shared.calendar import sessions_between

SESSIONS = sessions_between(date(2025, 3, 10), date(2025, 3, 14))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = SESSIONS
ASKED = datetime(2025, 3, 17, tzinfo=UTC)
LACK = Why("MISSING_DATA", "no bar")


def said(session: date, fact: Fact, *done: str, failed: tuple[str, ...] = ()) -> SaidPart:
    return SaidPart(CellPart(session, fact, done, dict.fromkeys(failed, LACK)), UUID(int=1), 0, ASKED)


def scope_of(*symbols: str) -> Expected:
    return Expected((Book(str(UUID(int=1)), None, MONDAY, tuple(Holding(each, MONDAY, None) for each in symbols)),), {})


def test_listed_are_those_looked_at_and_what_is_not_done_of_the_others() -> None:
    grid = grid_of([said(FRIDAY, Fact.BARS, "A", "B", failed=("C",))])
    (covered,) = cover(grid, scope_of("A", "B", "C", "D"), [FRIDAY], [Fact.BARS], always=frozenset("A"))
    assert [(each.subject, each.cell and each.cell.done) for each in covered.cells] == [
        ("A", True),
        ("C", False),
        ("D", None),
    ]
    (none,) = cover(grid, scope_of("A"), [FRIDAY], [Fact.BARS], always=None)
    assert none.cells == ()
    assert [(count.expected, count.done) for count in none.counts] == [(1, 1)]


def test_list_of_what_is_not_done_is_bounded() -> None:
    (covered,) = cover(
        {}, scope_of(*(f"S{n}" for n in range(MAX_CELLS + 5))), [FRIDAY], [Fact.BARS], always=frozenset()
    )
    assert len(covered.cells) == MAX_CELLS


def test_one_symbol_is_expected_in_its_span_and_as_a_symbol_only() -> None:
    scope = OneSymbol("A", TUESDAY, THURSDAY)
    expected = [len(scope.subjects_on(session, Fact.METRICS)) for session in SESSIONS]
    assert expected == [0, 1, 1, 1, 0]
    assert scope.subjects_on(TUESDAY, Fact.SNAPSHOT) == []


def test_reasons_are_grouped_over_sessions_with_those_nobody_asked_for() -> None:
    grid = grid_of([said(day, Fact.BARS, "A", failed=("B", "C")) for day in (THURSDAY, FRIDAY)])
    assert reasons_of(grid, scope_of("A", "B", "C"), SESSIONS[2:], [Fact.BARS]) == [
        ReasonGroup(Fact.BARS, "MISSING_DATA", "no bar", 4, THURSDAY, FRIDAY, ("B", "C")),
        ReasonGroup(Fact.BARS, NEVER_ASKED, "", 3, WEDNESDAY, WEDNESDAY, ("A", "B", "C")),
    ]


def test_freshness_is_how_far_the_newest_done_cell_of_each_is_behind_the_last_session() -> None:
    parts = [
        said(FRIDAY, Fact.BARS, "A", failed=("B",)),
        said(WEDNESDAY, Fact.BARS, "A", "B"),
        said(FRIDAY, Fact.FACTORS, "A", "B", "C"),
    ]
    assert freshness(grid_of(parts), scope_of("A", "B", "C"), SESSIONS, SYMBOL_FACTS) == [
        Age(Fact.BARS, 0, 1),
        Age(Fact.BARS, 2, 1),
        Age(Fact.BARS, None, 1),
        Age(Fact.FACTORS, 0, 3),
        Age(Fact.METRICS, None, 3),
    ]
