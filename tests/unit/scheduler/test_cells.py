"""How a cell stands after what runs have said of it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.cells import (
    CellPart,
    Fact,
    Grid,
    SaidPart,
    Why,
    count_cells,
    grid_of,
    newest_done,
    state_at,
)
from shared.calendar import sessions_between

SESSIONS = sessions_between(date(2025, 3, 12), date(2025, 3, 14))
MONDAY = datetime(2025, 3, 17, tzinfo=UTC)
SUBJECTS = ("A", "B", "C")
LACK = Why("MISSING_DATA", "no bar")


def said(
    *done: str, failed: tuple[str, ...] = (), run: int = 1, part: int = 0, asked: int = 0, fact: Fact = Fact.BARS
) -> SaidPart:
    """What part of which run, asked for so many minutes after midnight, says of the last session."""
    spoken = CellPart(SESSIONS[-1], fact, done, dict.fromkeys(failed, LACK))
    return SaidPart(spoken, UUID(int=run), part, MONDAY + timedelta(minutes=asked))


def stands(parts: list[SaidPart], subject: str) -> bool | None:
    """Whether the subject's bars are done at the last session, None if nobody has asked."""
    cell = state_at(grid_of(parts), SESSIONS[-1], Fact.BARS).find_cell(subject)
    return None if cell is None else cell.done


def test_cell_nobody_has_asked_for_is_neither_done_nor_failed() -> None:
    assert stands([said("A")], "B") is None


def test_run_asked_for_last_decides_whichever_came_last() -> None:
    night, again = said(failed=("A",), run=1, asked=0), said("A", run=2, asked=5)
    assert stands([again, night], "A") is True
    broken = said(failed=("A",), run=3, asked=9)
    assert stands([broken, again, night], "A") is False


def test_within_a_run_done_decides_over_failed() -> None:
    assert stands([said("A", part=0), said(failed=("A",), part=1)], "A") is True
    assert stands([said(failed=("A",), part=0), said("A", part=1)], "A") is True


def test_cell_has_its_reason_its_run_and_its_revision() -> None:
    part = CellPart(SESSIONS[-1], Fact.SNAPSHOT, ("A", "B"), {"C": LACK}, (4, 7))
    state = state_at(grid_of([SaidPart(part, UUID(int=9), 0, MONDAY)]), SESSIONS[-1], Fact.SNAPSHOT)

    done, failed = state.find_cell("B"), state.find_cell("C")

    assert done is not None
    assert (done.done, done.revision, done.run_id) == (True, 7, UUID(int=9))
    assert failed is not None
    assert (failed.why, failed.revision) == (LACK, None)
    assert dict(state.failed()) == {"C": LACK}


def test_counts_are_of_the_expected_cells_alone() -> None:
    state = state_at(grid_of([said("A", "X", failed=("B",))]), SESSIONS[-1], Fact.BARS)
    count = count_cells(Fact.BARS, state, ["A", "B", "C", "D"])
    assert (count.expected, count.done, count.failed, count.missing) == (4, 1, 1, 2)


def test_newest_done_session_has_every_fact() -> None:
    parts = [
        SaidPart(CellPart(session, fact, ("A",), {}), UUID(int=1), 0, MONDAY)
        for session, fact in (
            (SESSIONS[0], Fact.SNAPSHOT),
            (SESSIONS[0], Fact.ASSESSMENT),
            (SESSIONS[1], Fact.SNAPSHOT),
            (SESSIONS[1], Fact.ASSESSMENT),
            (SESSIONS[2], Fact.SNAPSHOT),
        )
    ]
    grid = grid_of(parts)
    assert newest_done(grid, "A", (Fact.SNAPSHOT, Fact.ASSESSMENT), SESSIONS) == SESSIONS[1]
    assert newest_done(grid, "B", (Fact.SNAPSHOT, Fact.ASSESSMENT), SESSIONS) is None


@st.composite
def _said_parts(draw: st.DrawFn) -> SaidPart:
    standing = draw(st.fixed_dictionaries(dict.fromkeys(SUBJECTS, st.sampled_from(["done", "failed", "absent"]))))
    done = tuple(subject for subject, stand in standing.items() if stand == "done")
    failed = {subject: Why(draw(st.sampled_from("XY")), "") for subject, stand in standing.items() if stand == "failed"}
    session, fact = draw(st.sampled_from(SESSIONS)), draw(st.sampled_from(Fact))
    run = draw(st.integers(1, 4))
    # A run has one time at which it was asked for; two runs may share it.
    asked_at = MONDAY + timedelta(minutes=run // 2)
    revisions = tuple(draw(st.integers(1, 9)) for _ in done) if fact is Fact.SNAPSHOT else None
    return SaidPart(CellPart(session, fact, done, failed, revisions), UUID(int=run), draw(st.integers(0, 3)), asked_at)


# What is stored has one row for what one event says of a fact at a session.
PARTS = st.lists(
    _said_parts(), max_size=12, unique_by=lambda said: (said.part.session, said.part.fact, said.run_id, said.part_index)
)


def _cells(grid: Grid) -> dict[object, object]:
    return {(key, subject): state.find_cell(subject) for key, state in grid.items() for subject in state.decides}


@given(parts=PARTS, data=st.data())
def test_any_order_with_any_duplicates_gives_the_same_state(parts: list[SaidPart], data: st.DataObject) -> None:
    repeated = parts + (data.draw(st.lists(st.sampled_from(parts), max_size=6)) if parts else [])
    shuffled = data.draw(st.permutations(repeated))
    assert _cells(grid_of(shuffled)) == _cells(grid_of(parts))


@given(parts=PARTS, subject=st.sampled_from(SUBJECTS), session=st.sampled_from(SESSIONS), fact=st.sampled_from(Fact))
def test_state_is_what_the_newest_run_says(parts: list[SaidPart], subject: str, session: date, fact: Fact) -> None:
    about = [
        said
        for said in parts
        if (said.part.session, said.part.fact) == (session, fact)
        and (subject in said.part.done or subject in said.part.failed)
    ]
    state = state_at(grid_of(parts), session, fact)
    cell = state.find_cell(subject)
    if not about:
        assert cell is None
        assert not state.is_done(subject)
        return
    asked_at, run_id = max((said.asked_at, said.run_id) for said in about)
    of_it = [said for said in about if said.run_id == run_id]
    assert cell is not None
    assert (cell.asked_at, cell.run_id) == (asked_at, run_id)
    assert cell.done == state.is_done(subject) == any(subject in said.part.done for said in of_it)
