"""What a backfill has to do: the wanted cells of its selection, cut into steps of bounded work, oldest first."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Final, TypeVar

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
    symbols: dict[date, dict[str, int]] = {}
    portfolios: dict[date, dict[str, int]] = {}
    by_fact = dict.fromkeys(Fact, 0)
    without_bars: set[str] = set()
    for session in selection.sessions:
        for found, facts in ((symbols, SYMBOL_FACTS), (portfolios, PORTFOLIO_FACTS)):
            counts: dict[str, int] = defaultdict(int)
            for fact in facts:
                subjects = expected.subjects_on(session, fact)
                for subject in _wanted(state_at(grid, session, fact), subjects, selection.reprocess):
                    if selection.scope.takes(subject, fact):
                        counts[subject] += 1
                        by_fact[fact] += 1
                        if fact is Fact.BARS:
                            without_bars.add(subject)
            if counts:
                found[session] = dict(counts)
    return WantedCells(symbols, portfolios, by_fact, frozenset(without_bars))


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
            for group in _chunks(subjects, max(limit // len(sessions), 1)):
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
        for _, month in groupby(lacking[subject], key=lambda session: (session.year, session.month)):
            for first, last in consecutive_sessions(list(month)):
                for piece in _chunks(sessions_between(first, last), limit):
                    stretches[piece[0], piece[-1]].append(subject)
    return stretches


def _chunks(items: Sequence[Item], length: int) -> Iterator[tuple[Item, ...]]:
    return (tuple(items[start : start + length]) for start in range(0, len(items), length))


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
