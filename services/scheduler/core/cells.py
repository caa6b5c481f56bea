"""The ledger of cells: what runs have said of each (subject, session, fact), and how a cell stands after them.

Of several runs the one that was asked for last decides; within a run, done decides over failed, since what failed may
have been done again. So the order in which events arrive, and how often, changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import Final
from uuid import UUID


class Fact(StrEnum):
    """What is computed of a symbol or of a portfolio at a session."""

    BARS = "bars"
    FACTORS = "factors"
    METRICS = "metrics"
    SNAPSHOT = "snapshot"
    ASSESSMENT = "assessment"


SYMBOL_FACTS: Final = (Fact.BARS, Fact.FACTORS, Fact.METRICS)
PORTFOLIO_FACTS: Final = (Fact.SNAPSHOT, Fact.ASSESSMENT)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a cell could not be done."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class CellPart:
    """What one event says of one fact at one session: who is done, who failed; nobody is both.

    `revisions` has one entry per subject that is done, where the event says it. `delisted` are the symbols that the
    portfolios of the part hold and that are traded no more.
    """

    session: date
    fact: Fact
    done: tuple[str, ...]
    failed: Mapping[str, Why]
    revisions: tuple[int, ...] | None = None
    delisted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SaidPart:
    """A part with the run that said it and when that run was asked for."""

    part: CellPart
    run_id: UUID
    part_index: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """How a cell stands: done, or failed with its reason, as this run has said."""

    why: Why | None
    run_id: UUID
    asked_at: datetime
    revision: int | None

    @property
    def done(self) -> bool:
        """Whether the cell is done."""
        return self.why is None


@dataclass(frozen=True)
class FactState:
    """How every subject stands that anything has been said of, for one fact at one session."""

    decides: dict[str, SaidPart] = field(default_factory=dict)

    @cached_property
    def done(self) -> frozenset[str]:
        """The subjects that are done, for who asks for many."""
        return frozenset(subject for subject, said in self.decides.items() if subject not in said.part.failed)

    def is_done(self, subject: str) -> bool:
        """Tell whether the cell is done; False also if nobody has ever asked."""
        said = self.decides.get(subject)
        return said is not None and subject not in said.part.failed

    def find_cell(self, subject: str) -> Cell | None:
        """Return the cell, None if nobody has ever asked."""
        said = self.decides.get(subject)
        if said is None:
            return None
        why = said.part.failed.get(subject)
        known = said.part.revisions if why is None else None
        revision = None if known is None else known[said.part.done.index(subject)]
        return Cell(why, said.run_id, said.asked_at, revision)

    def failed(self) -> Iterator[tuple[str, Why]]:
        """Yield who failed, and why."""
        for subject, said in self.decides.items():
            why = said.part.failed.get(subject)
            if why is not None:
                yield subject, why


NOTHING_SAID: Final = FactState()
Grid = Mapping[tuple[date, Fact], FactState]


def grid_of(parts: Iterable[SaidPart]) -> dict[tuple[date, Fact], FactState]:
    """Return how every cell stands that the parts speak of, whatever their order and however often each is there."""
    grid: dict[tuple[date, Fact], FactState] = {}
    ordered = sorted(parts, key=lambda said: (said.asked_at, said.run_id, said.part_index))
    for _, of_one_run in groupby(ordered, key=lambda said: (said.asked_at, said.run_id)):
        said_by_run = list(of_one_run)
        for said in said_by_run:
            _state(grid, said).update(dict.fromkeys(said.part.failed, said))
        for said in said_by_run:
            _state(grid, said).update(dict.fromkeys(said.part.done, said))
    return grid


def _state(grid: dict[tuple[date, Fact], FactState], said: SaidPart) -> dict[str, SaidPart]:
    return grid.setdefault((said.part.session, said.part.fact), FactState()).decides


def state_at(grid: Grid, session: date, fact: Fact) -> FactState:
    """Return how the subjects stand for a fact at a session, also where nothing has been said."""
    return grid.get((session, fact), NOTHING_SAID)


@dataclass(frozen=True, slots=True)
class Count:
    """How many cells of a fact at a session were expected, and how they stand; missing: never asked for."""

    fact: Fact
    expected: int
    done: int
    failed: int

    @property
    def missing(self) -> int:
        """How many nobody has ever asked for."""
        return self.expected - self.done - self.failed


def count_cells(fact: Fact, state: FactState, expected: Sequence[str]) -> Count:
    """Count the expected cells of a fact at a session."""
    known = sum(map(state.decides.__contains__, expected))
    done = sum(map(state.done.__contains__, expected))
    return Count(fact, len(expected), done, known - done)


def newest_done(grid: Grid, subject: str, facts: Sequence[Fact], sessions: Sequence[date]) -> date | None:
    """Return the newest of the sessions (ascending) at which every one of the facts is done, None if there is none."""
    for session in reversed(sessions):
        if all(state_at(grid, session, fact).is_done(subject) for fact in facts):
            return session
    return None
