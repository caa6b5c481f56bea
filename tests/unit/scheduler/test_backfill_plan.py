"""Which cells a backfill wants, and how they are cut into steps."""

from collections import Counter
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.backfill_plan import (
    Rates,
    Reprocess,
    Scope,
    Selection,
    StepSize,
    WantedCells,
    plan_steps,
    wanted_cells,
)
from services.scheduler.core.books import Book, Expected, Holding
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, CellPart, Fact, Grid, SaidPart, Why, grid_of
from shared.calendar import sessions_between

# Good Friday (2025-04-18) lies inside: no session.
SESSIONS = sessions_between(date(2025, 3, 24), date(2025, 4, 25))
FIRST, LAST = SESSIONS[0], SESSIONS[-1]
BOOK = str(UUID(int=1))
EVERYBODY = Scope()
NOBODY_HAD_IT, LATE = Why("MISSING_DATA", "no bar"), Why("DEADLINE", "did not arrive")


def expected(*, since: date = FIRST) -> Expected:
    """One book that holds A, and B from the third session on."""
    holdings = (Holding("A", since, None), Holding("B", SESSIONS[2], None))
    return Expected.of([Book(BOOK, "book", since, holdings)], {})


def grid(*said: tuple[date, Fact, tuple[str, ...], dict[str, Why]]) -> Grid:
    """What one run has said."""
    parts = [CellPart(session, fact, done, failed) for session, fact, done, failed in said]
    asked = datetime(2025, 4, 26, tzinfo=UTC)
    return grid_of([SaidPart(part, UUID(int=9), index, asked) for index, part in enumerate(parts)])


def wanted(known: Grid, reprocess: Reprocess, *, scope: Scope = EVERYBODY, last: date = LAST) -> WantedCells:
    return wanted_cells(known, expected(), Selection(FIRST, last, scope, reprocess))


def test_cells_nobody_asked_for_are_missing_from_the_first_session_of_their_subject_on() -> None:
    found = wanted({}, Reprocess.MISSING)

    assert found.symbols[FIRST] == {"A": 3}
    assert found.symbols[SESSIONS[2]] == {"A": 3, "B": 3}
    assert found.portfolios[FIRST] == {BOOK: 2}
    days = len(SESSIONS)
    assert found.by_fact == {
        **dict.fromkeys(SYMBOL_FACTS, 2 * days - 2),
        **dict.fromkeys(PORTFOLIO_FACTS, days),
    }
    assert found.count == 3 * (2 * days - 2) + 2 * days
    assert found.without_bars == {"A", "B"}


@pytest.mark.parametrize(
    ("reprocess", "bars"),
    [
        (Reprocess.MISSING, {SESSIONS[0]: 0, SESSIONS[1]: 0, SESSIONS[2]: 1}),
        (Reprocess.FAILED, {SESSIONS[0]: 0, SESSIONS[1]: 1, SESSIONS[2]: 1}),
        (Reprocess.ALL, {SESSIONS[0]: 1, SESSIONS[1]: 1, SESSIONS[2]: 1}),
    ],
)
def test_missing_is_what_was_never_answered_and_failed_what_is_not_done(
    reprocess: Reprocess, bars: dict[date, int]
) -> None:
    known = grid(
        (SESSIONS[0], Fact.BARS, ("A",), {}),
        (SESSIONS[1], Fact.BARS, (), {"A": NOBODY_HAD_IT}),
        (SESSIONS[2], Fact.BARS, (), {"A": LATE}),
    )
    scope = Scope(symbols=frozenset({"A"}), portfolio_ids=frozenset())

    found = wanted(known, reprocess, scope=scope, last=SESSIONS[2])

    assert found.by_fact[Fact.BARS] == sum(bars.values())
    # Factors and metrics of A are wanted too: nobody has asked for them.
    assert {session: found.symbols[session]["A"] - 2 for session in SESSIONS[:3]} == bars


def test_scope_takes_only_what_it_names() -> None:
    found = wanted({}, Reprocess.MISSING, scope=Scope(frozenset({"B"}), frozenset()))

    assert not found.portfolios
    assert {subject for subjects in found.symbols.values() for subject in subjects} == {"B"}
    assert found.without_bars == {"B"}


def test_steps_are_ordered_by_month_and_have_symbols_before_portfolios() -> None:
    steps = plan_steps(wanted({}, Reprocess.MISSING), StepSize(symbol_sessions=1000, portfolio_sessions=1000))

    assert [(step.first_session, step.last_session, step.symbols, bool(step.portfolio_ids)) for step in steps] == [
        (date(2025, 3, 24), date(2025, 3, 31), ("A",), False),
        (date(2025, 3, 26), date(2025, 3, 31), ("B",), False),
        (date(2025, 3, 24), date(2025, 3, 31), (), True),
        (date(2025, 4, 1), date(2025, 4, 25), ("A", "B"), False),
        (date(2025, 4, 1), date(2025, 4, 25), (), True),
    ]
    assert [step.cells for step in steps] == [18, 12, 12, 18 * 6, 18 * 2]


CELLS = st.dictionaries(
    st.sampled_from(SESSIONS), st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(1, 3), min_size=1, max_size=7)
)


@given(symbols=CELLS, portfolios=CELLS, size=st.builds(StepSize, st.integers(1, 40), st.integers(1, 40)))
def test_steps_have_every_wanted_cell_once_and_no_session_of_a_subject_that_wants_nothing(
    symbols: dict[date, dict[str, int]], portfolios: dict[date, dict[str, int]], size: StepSize
) -> None:
    steps = plan_steps(WantedCells(symbols, portfolios, {}, frozenset()), size)

    for kind, subjects_of in ((symbols, "symbols"), (portfolios, "portfolio_ids")):
        covered = Counter(
            (session, subject) for step in steps for session in step.sessions for subject in getattr(step, subjects_of)
        )
        assert covered == Counter((session, subject) for session, subjects in kind.items() for subject in subjects)
    assert sum(step.cells for step in steps) == sum(
        cells for kind in (symbols, portfolios) for subjects in kind.values() for cells in subjects.values()
    )
    months = [(step.first_session.year, step.first_session.month, bool(step.portfolio_ids)) for step in steps]
    assert months == sorted(months)


@given(symbols=CELLS, portfolios=CELLS, size=st.builds(StepSize, st.integers(1, 40), st.integers(1, 40)))
def test_no_step_is_larger_than_the_size(
    symbols: dict[date, dict[str, int]], portfolios: dict[date, dict[str, int]], size: StepSize
) -> None:
    for step in plan_steps(WantedCells(symbols, portfolios, {}, frozenset()), size):
        assert len(step.symbols) * len(step.sessions) <= size.symbol_sessions
        assert len(step.portfolio_ids) * len(step.sessions) <= size.portfolio_sessions
        assert bool(step.symbols) != bool(step.portfolio_ids)


def test_steps_of_a_stretch_are_of_one_size() -> None:
    day = SESSIONS[0]
    steps = plan_steps(WantedCells({day: dict.fromkeys("ABCDE", 1)}, {}, {}, frozenset()), StepSize(4, 1))
    assert [step.symbols for step in steps] == [("A", "B", "C"), ("D", "E")]


def test_size_and_time_of_a_step_follow_from_the_rates() -> None:
    rates = Rates(symbol_session_s=0.01, portfolio_session_s=0.25)
    assert rates.size(1.0) == StepSize(symbol_sessions=100, portfolio_sessions=4)
    assert rates.size(0.001) == StepSize(symbol_sessions=1, portfolio_sessions=1)
    month = plan_steps(wanted({}, Reprocess.MISSING), StepSize(1000, 1000))[-2:]
    assert [rates.seconds(step) for step in month] == pytest.approx([18 * 2 * 0.01, 18 * 0.25])
