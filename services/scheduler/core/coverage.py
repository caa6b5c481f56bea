"""How far a range of sessions is covered: counts, cells and reasons of whatever is looked at."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final, Protocol

from services.scheduler.core.cells import SYMBOL_FACTS, Cell, Count, Fact, Grid, count_cells, state_at

NEVER_ASKED: Final = "NEVER_ASKED"
MAX_CELLS: Final = 100  # a session, which is more than anybody reads
MAX_REASONS: Final = 50
MAX_NAMES: Final = 10


class Scope(Protocol):
    """What is looked at."""

    def subjects_on(self, session: date, fact: Fact) -> Sequence[str]:
        """Return whose cells of a fact are expected at a session, sorted."""


@dataclass(frozen=True, slots=True)
class OneSymbol:
    """A symbol that is expected from a session to a day."""

    symbol: str
    first: date
    last: date

    def subjects_on(self, session: date, fact: Fact) -> Sequence[str]:
        """Return the symbol where its cell is expected."""
        return [self.symbol] if fact in SYMBOL_FACTS and self.first <= session <= self.last else []


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A cell and whose it is; without a cell, nobody has asked for it."""

    subject: str
    fact: Fact
    cell: Cell | None


@dataclass(frozen=True, slots=True)
class Covered:
    """One session: how many cells stand how, per fact, and the cells that are listed."""

    session: date
    counts: tuple[Count, ...]
    cells: tuple[NamedCell, ...]


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Cells of a fact that are not done for one reason, and the first of the subjects."""

    fact: Fact
    reason: str
    detail: str
    cells: int
    first: date
    last: date
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Age:
    """How many subjects have their newest done cell of a fact so many sessions before the last one; None: nowhere."""

    fact: Fact
    sessions_behind: int | None
    subjects: int


def cover(
    grid: Grid, scope: Scope, sessions: Sequence[date], facts: Sequence[Fact], *, always: frozenset[str] | None
) -> list[Covered]:
    """Return how the expected cells stand, session by session.

    Listed are the cells of the subjects in `always`, and of the others those that are not done; with None, no cells.
    """
    covered = []
    for session in sessions:
        counts = tuple(
            count_cells(fact, state_at(grid, session, fact), scope.subjects_on(session, fact)) for fact in facts
        )
        cells: tuple[NamedCell, ...] = ()
        if always is not None:
            lacking = (each for each in _lacking(grid, scope, session, facts) if each.subject not in always)
            cells = (*_own(grid, scope, session, facts, always), *islice(lacking, MAX_CELLS))
        covered.append(Covered(session, counts, cells))
    return covered


def reasons_of(grid: Grid, scope: Scope, sessions: Sequence[date], facts: Sequence[Fact]) -> list[ReasonGroup]:
    """Return why expected cells are not done, the reason of most cells first."""
    found: dict[tuple[Fact, str, str], list[tuple[date, str]]] = defaultdict(list)
    for session in sessions:
        for named in _lacking(grid, scope, session, facts):
            why = named.cell.why if named.cell else None
            key = (named.fact, NEVER_ASKED, "") if why is None else (named.fact, why.reason, why.detail)
            found[key].append((session, named.subject))
    groups = [_group(key, cells) for key, cells in found.items()]
    return sorted(groups, key=lambda group: (-group.cells, group.fact, group.reason, group.detail))[:MAX_REASONS]


def freshness(grid: Grid, scope: Scope, sessions: Sequence[date], facts: Sequence[Fact]) -> list[Age]:
    """Return how far behind those are that are expected at the last of the sessions (ascending), per fact."""
    return [age for fact in facts for age in _ages(grid, scope, sessions, fact)]


def _ages(grid: Grid, scope: Scope, sessions: Sequence[date], fact: Fact) -> Iterator[Age]:
    waiting = set(scope.subjects_on(sessions[-1], fact))
    for behind, session in enumerate(reversed(sessions)):
        state = state_at(grid, session, fact)
        found = waiting & state.done
        if found:
            yield Age(fact, behind, len(found))
            waiting -= found
    if waiting:
        yield Age(fact, None, len(waiting))


def _own(grid: Grid, scope: Scope, session: date, facts: Sequence[Fact], always: frozenset[str]) -> Iterator[NamedCell]:
    for fact in facts:
        for subject in always.intersection(scope.subjects_on(session, fact)):
            yield NamedCell(subject, fact, state_at(grid, session, fact).find_cell(subject))


def _lacking(grid: Grid, scope: Scope, session: date, facts: Sequence[Fact]) -> Iterator[NamedCell]:
    for fact in facts:
        state = state_at(grid, session, fact)
        for subject in scope.subjects_on(session, fact):
            if subject not in state.done:
                yield NamedCell(subject, fact, state.find_cell(subject))


def _group(key: tuple[Fact, str, str], cells: Sequence[tuple[date, str]]) -> ReasonGroup:
    names = dict.fromkeys(subject for _, subject in cells)
    return ReasonGroup(*key, len(cells), cells[0][0], cells[-1][0], tuple(names)[:MAX_NAMES])
