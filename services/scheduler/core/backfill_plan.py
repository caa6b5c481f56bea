"""What a backfill has to do: the wanted cells of its selection, cut into steps of bounded work, oldest first."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Final, Self, TypeVar
from uuid import UUID

from services.scheduler.core.books import Expected
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, Fact, FactState, Grid, state_at
from shared.calendar import consecutive_sessions, sessions_between
from shared.unavailable import Reason

Item = TypeVar("Item")

# Of what the data says, not of what went wrong: such a cell has been answered.
_ANSWERS: Final = frozenset(reason.value for reason in Reason)


class Reprocess(StrEnum):
    """Which of the expected cells are wanted.

    Missing are those that nobody has ever asked for, and those that were never answered: a deadline, or an error of
    ours, came first. Failed are those that are not done: the missing ones, and those whose answer was a reason.
    """

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose cells: these symbols and portfolios, or everybody's where None."""

    symbols: frozenset[str] | None = None
    portfolio_ids: frozenset[str] | None = None

    @classmethod
    def of(cls, symbols: Iterable[str] | None, portfolio_ids: Iterable[UUID | str] | None) -> Self:
        """Return the scope of what a request or a run names."""
        return cls(
            None if symbols is None else frozenset(symbols),
            None if portfolio_ids is None else frozenset(map(str, portfolio_ids)),
        )

    def takes(self, subject: str, fact: Fact) -> bool:
        """Tell whether the cells of a subject are among them."""
        chosen = self.symbols if fact in SYMBOL_FACTS else self.portfolio_ids
        return chosen is None or subject in chosen


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cells a backfill is to look at: those of a scope in [first, last]."""

    first: date
    last: date
    scope: Scope = Scope()
    reprocess: Reprocess = Reprocess.MISSING

    @property
    def sessions(self) -> list[date]:
        """The sessions of the selection, the oldest first."""
        return sessions_between(self.first, self.last)

    def of(self, reprocess: Reprocess) -> "Selection":
        """Return the same cells, but other ones of them wanted."""
        return replace(self, reprocess=reprocess)


@dataclass(frozen=True, slots=True)
class WantedCells:
    """How many cells are wanted of each symbol, and of each portfolio, at each session where any is.

    `without_bars` are the symbols that lack a bar at any of the sessions.
    """

    symbols: Mapping[date, Mapping[str, int]]
    portfolios: Mapping[date, Mapping[str, int]]
    by_fact: Mapping[Fact, int]
    without_bars: frozenset[str]

    @property
    def count(self) -> int:
        """How many cells are wanted."""
        return sum(self.by_fact.values())


@dataclass(frozen=True, slots=True)
class StepSize:
    """How much one step may be: symbols, and portfolios, times sessions."""

    symbol_sessions: int
    portfolio_sessions: int


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a backfill: symbols or portfolios over consecutive sessions; `cells` are those wanted of it."""

    first_session: date
    last_session: date
    symbols: tuple[str, ...]
    portfolio_ids: tuple[str, ...]
    cells: int

    @property
    def sessions(self) -> list[date]:
        """The sessions that it computes."""
        return sessions_between(self.first_session, self.last_session)


def wanted_cells(grid: Grid, expected: Expected, selection: Selection) -> WantedCells:
    """Return the wanted ones among the cells of the selection that are expected."""
    by_fact = {fact: list(_wanted_of(fact, grid, expected, selection)) for fact in Fact}
    return WantedCells(
        symbols=_counted(cell for fact in SYMBOL_FACTS for cell in by_fact[fact]),
        portfolios=_counted(cell for fact in PORTFOLIO_FACTS for cell in by_fact[fact]),
        by_fact={fact: len(cells) for fact, cells in by_fact.items()},
        without_bars=frozenset(subject for _, subject in by_fact[Fact.BARS]),
    )


def count_left(before: Grid, now: Grid, expected: Expected, selection: Selection) -> int:
    """Return how many of the cells that were wanted before are not done now."""
    undone = selection.of(Reprocess.FAILED)
    return sum(
        len({*_wanted_of(fact, before, expected, selection)} & {*_wanted_of(fact, now, expected, undone)})
        for fact in Fact
    )


def _wanted_of(fact: Fact, grid: Grid, expected: Expected, selection: Selection) -> Iterator[tuple[date, str]]:
    for session in selection.sessions:
        subjects = expected.subjects_on(session, fact)
        wanted = _wanted(state_at(grid, session, fact), subjects, selection.reprocess)
        yield from ((session, subject) for subject in wanted if selection.scope.takes(subject, fact))


def _counted(cells: Iterable[tuple[date, str]]) -> dict[date, dict[str, int]]:
    counts: dict[date, dict[str, int]] = {}
    for session, subject in cells:
        of_session = counts.setdefault(session, {})
        of_session[subject] = of_session.get(subject, 0) + 1
    return counts


def _wanted(state: FactState, expected: Sequence[str], reprocess: Reprocess) -> Sequence[str]:
    if reprocess is Reprocess.ALL:
        return expected
    failed = dict(state.failed())
    settled = state.decides.keys() - failed.keys()
    if reprocess is Reprocess.MISSING:
        settled |= {subject for subject, why in failed.items() if why.reason in _ANSWERS}
    return [subject for subject in expected if subject not in settled]


def plan_steps(wanted: WantedCells, size: StepSize) -> tuple[Step, ...]:
    """Cut the wanted cells into steps: month by month, oldest first, in each month the symbols before the portfolios.

    Subjects that lack the same consecutive sessions of a month are computed together, as many as the size allows; a
    subject alone is cut into as many sessions as it allows. A step computes no session of a subject at which nothing of
    it is wanted.
    """
    steps: list[tuple[tuple[int, int], int, Step]] = []
    for rank, kind, limit in (
        (0, wanted.symbols, size.symbol_sessions),
        (1, wanted.portfolios, size.portfolio_sessions),
    ):
        for (first, last), subjects in _stretches(kind, limit).items():
            sessions = sessions_between(first, last)
            for group in _evenly(subjects, max(limit // len(sessions), 1)):
                cells = sum(kind[session][subject] for session in sessions for subject in group)
                names: tuple[tuple[str, ...], tuple[str, ...]] = (group, ()) if rank == 0 else ((), group)
                steps.append(((first.year, first.month), rank, Step(first, last, *names, cells)))
    steps.sort(key=lambda entry: (*entry[:2], entry[2].first_session, entry[2].symbols, entry[2].portfolio_ids))
    return tuple(step for _, _, step in steps)


def _stretches(kind: Mapping[date, Collection[str]], limit: int) -> dict[tuple[date, date], list[str]]:
    """Return the subjects, sorted, by the stretch of consecutive sessions of one month that they lack."""
    lacking: dict[str, list[date]] = defaultdict(list)
    for session in sorted(kind):
        for subject in kind[session]:
            lacking[subject].append(session)
    stretches: dict[tuple[date, date], list[str]] = defaultdict(list)
    for subject in sorted(lacking):
        for stretch in _pieces(lacking[subject], limit):
            stretches[stretch].append(subject)
    return stretches


def _pieces(sessions: Sequence[date], limit: int) -> Iterator[tuple[date, date]]:
    for _, month in groupby(sessions, key=lambda session: (session.year, session.month)):
        for first, last in consecutive_sessions(list(month)):
            yield from ((piece[0], piece[-1]) for piece in _chunks(sessions_between(first, last), limit))


def _chunks(items: Sequence[Item], length: int) -> Iterator[tuple[Item, ...]]:
    return (tuple(items[start : start + length]) for start in range(0, len(items), length))


def _evenly(items: Sequence[Item], most: int) -> Iterator[tuple[Item, ...]]:
    # A step of a few subjects costs nearly what one of many does.
    return _chunks(items, -(-len(items) // -(-len(items) // most)))


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds that a step takes for each symbol, and each portfolio, at each session."""

    symbol_session_s: float
    portfolio_session_s: float

    def size(self, seconds: float) -> StepSize:
        """Return how much a step may be to take so long."""
        return StepSize(max(int(seconds / self.symbol_session_s), 1), max(int(seconds / self.portfolio_session_s), 1))

    def seconds(self, step: Step) -> float:
        """Return how long a step will take."""
        a_session = len(step.symbols) * self.symbol_session_s + len(step.portfolio_ids) * self.portfolio_session_s
        return len(step.sessions) * a_session
