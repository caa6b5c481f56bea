"""What people read of a run: a line for every part that arrives, every stage that is in, and its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from services.scheduler.core.ledger import StageTally

# Fewer nights than these say nothing about the next one.
NIGHTS_TO_LEARN_FROM: Final = 10


class Level(StrEnum):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a run's log; `stage` where it is about one."""

    level: Level
    message: str
    stage: str | None = None


def part_line(stage: str, index: int, total: int, *, subjects: int, failures: int) -> Line:
    """Return the line of a part that has arrived."""
    said = f"part {index + 1} of {total}: {subjects} subjects"
    if not failures:
        return Line(Level.INFO, said, stage)
    return Line(Level.WARNING, f"{said}, {failures} failures", stage)


def stage_line(tally: StageTally, seconds: float | None) -> Line:
    """Return the line of a stage of which every part is in."""
    took = "" if seconds is None else f" in {seconds:.1f} s"
    said = f"complete{took}: {tally.parts_done} parts, {tally.subjects} subjects, {tally.failures} failures"
    return Line(Level.WARNING if tally.failures else Level.INFO, said, tally.stage)


@dataclass(frozen=True, slots=True)
class PastRun:
    """How long a finished run of the same kind took, and how many parts its prices came in."""

    seconds: float
    parts: int


def expected_seconds(past: Sequence[PastRun], parts: int | None) -> float | None:
    """Return how long a run will take: the median of the last ones, each as long as its parts were many.

    Parameters
    ----------
    past : sequence of PastRun
        The newest finished runs of the same kind.
    parts : int or None
        How many parts the prices of this run come in; None while nobody knows.

    Returns
    -------
    float or None
        None without a past.

    Examples
    --------
    >>> expected_seconds([PastRun(2.0, 4), PastRun(4.0, 4), PastRun(9.0, 4)], 8)
    8.0
    """
    if not past:
        return None
    return median(run.seconds * (parts / run.parts if parts and run.parts else 1.0) for run in past)


def eta_seconds(past: Sequence[PastRun], parts: int | None, *, elapsed_s: float) -> float | None:
    """Return how long a run still takes; None without a past, and where it has taken longer than that tells."""
    expected = expected_seconds(past, parts)
    return None if expected is None or elapsed_s > expected else expected - elapsed_s
