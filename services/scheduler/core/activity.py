"""What people read of a run: a line when it is asked for, for each part, dead letter and overdue stage, and its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Final

from shared.unavailable import Reason, Unavailable

RUNS_TO_LEARN_FROM: Final = 10


class What(StrEnum):
    """What a line is about."""

    OPENED = "opened"
    PART = "part"
    DEAD_LETTER = "dead_letter"
    CLOSED = "closed"
    ENDED = "ended"


class Level(StrEnum):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a run's log.

    Attributes
    ----------
    place : int
        Grows from line to line of a run; 0 is its first.
    parts_done, parts_total : int or None
        How far the stage is with this line, where it is about a part.
    """

    place: int
    at: datetime
    what: What
    level: Level
    message: str
    stage: str | None = None
    parts_done: int | None = None
    parts_total: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked for; of how many symbols and portfolios, None for all of them."""

    kind: str
    first_session: str
    last_session: str
    symbols: int | None
    portfolios: int | None
    requested_by: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A part that has arrived; `arrived` counts those of its stage up to it, `failed` counts per reason."""

    stage: str
    index: int
    total: int
    subjects: int
    failed: Mapping[str, int]
    arrived: int


def opened_line(asked: Asked, at: datetime) -> Line:
    """Return the first line of a run."""
    sessions = " to ".join(dict.fromkeys((asked.first_session, asked.last_session)))
    of = f"{_count(asked.symbols, 'symbol')} and {_count(asked.portfolios, 'portfolio')}"
    said = f"{asked.kind} run of {sessions} over {of}, asked for by {asked.requested_by}"
    return Line(0, at, What.OPENED, Level.INFO, said)


def part_line(place: int, at: datetime, part: Arrival, *, requested_at: datetime) -> Line:
    """Return the line of a part; that of the last one says that its stage is complete."""
    said = f"part {part.index + 1} of {part.total}: {part.subjects} subjects"
    if part.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(part.failed.items()))
        said += f", {sum(part.failed.values())} failed ({reasons})"
    if part.arrived == part.total:
        said += f"; complete {(at - requested_at).total_seconds():.1f} s after it was asked for"
    level = Level.WARNING if part.failed else Level.INFO
    return Line(place, at, What.PART, level, said, part.stage, part.arrived, part.total)


def letter_line(place: int, at: datetime, *, topic: str, consumer: str, reason: str) -> Line:
    """Return the line of a message that could not be processed."""
    return Line(place, at, What.DEAD_LETTER, Level.ERROR, f"{consumer} could not process a message: {reason}", topic)


def closed_line(place: int, at: datetime, *, stage: str, never_came: str) -> Line:
    """Return the line of a stage that its deadline closed."""
    return Line(place, at, What.CLOSED, Level.WARNING, f"closed by its deadline: {never_came}", stage)


def ended_line(place: int, at: datetime, status: str, why: str | None, *, requested_at: datetime) -> Line:
    """Return the last line of a run, which no part of it that comes late changes."""
    said = f"{status.replace('_', ' ')} after {(at - requested_at).total_seconds():.1f} s"
    level = {"completed": Level.INFO, "failed": Level.ERROR}.get(status, Level.WARNING)
    return Line(place, at, What.ENDED, level, said + (f": {why}" if why else ""))


def _count(count: int | None, noun: str) -> str:
    if count is None:
        return f"every {noun}"
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a run may take.

    Attributes
    ----------
    requested_at, read_at : datetime
        When it was asked for, and when this was read by the same clock.
    past : sequence of float
        How many seconds the newest ones of its kind and size took that completed.
    """

    requested_at: datetime
    read_at: datetime
    past: Sequence[float]

    def seconds_left(self, at: datetime) -> float | Unavailable:
        """Return how long the run takes from an instant on, if it takes as long as the median of the past ones."""
        if not self.past:
            return Unavailable(Reason.INSUFFICIENT_HISTORY, "no run of this kind and size has completed yet")
        expected = median(self.past)
        left = expected - (at - self.requested_at).total_seconds()
        if left < 0:
            said = f"it takes longer than the {expected:.1f} s that were the median of the last {len(self.past)}"
            return Unavailable(Reason.NOT_APPLICABLE, said)
        return left
