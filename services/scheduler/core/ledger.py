"""The run ledger's arithmetic: which stages a run has, when it is complete, and how long each stage took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.parts import missing_of

# stage (the topic whose parts end it) -> the stages that it waits for
STAGES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "profiles.updated": (),
        "prices.updated": (),
        "fundamentals.updated": (),
        "symbols.factored": ("prices.updated", "profiles.updated", "fundamentals.updated"),
        "symbols.measured": ("prices.updated", "profiles.updated", "fundamentals.updated"),
        "portfolios.valued": ("prices.updated", "profiles.updated"),
        "portfolios.assessed": ("symbols.factored", "portfolios.valued"),
    }
)

# stage -> the parts that are in, counted from 0
Arrived = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class StageTally:
    """What has arrived of one stage of a run.

    Attributes
    ----------
    parts_done : int
        How many parts are in.
    parts_total : int or None
        None while no part has arrived: each part says how many there are.
    closed_at : datetime or None
        When it was closed without the parts that were missing then.
    least_total : int or None
        Another number than `parts_total` where its parts contradict one another.
    """

    stage: str
    parts_done: int = 0
    parts_total: int | None = None
    subjects: int = 0
    failures: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    closed_at: datetime | None = None
    least_total: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every part is in."""
        return self.parts_total is not None and self.parts_done >= self.parts_total

    @property
    def contradicted(self) -> str:
        """Which totals its parts say, in words; empty if they say one."""
        if self.least_total in {None, self.parts_total}:
            return ""
        return f"{self.stage}: parts of {self.least_total} and of {self.parts_total}"

    @property
    def ended_at(self) -> datetime | None:
        """When its last part came, or its deadline; None while it goes on."""
        if self.closed_at is not None:
            return self.closed_at
        return self.last_at if self.complete else None

    def missing(self, arrived: Arrived) -> str:
        """Return the parts that have not arrived, in words; empty if all have."""
        if self.parts_total is None:
            return f"{self.stage}: every part"
        parts = missing_of(arrived.get(self.stage, ()), self.parts_total)
        return parts and f"{self.stage}: {parts}"


def tally(arrived: Sequence[StageTally]) -> tuple[StageTally, ...]:
    """Return one tally per stage of `STAGES`, in its order, with empty ones for those nothing has arrived of."""
    by_stage = {entry.stage: entry for entry in arrived}
    return tuple(by_stage.get(stage, StageTally(stage)) for stage in STAGES)


def run_ended(tallies: Sequence[StageTally]) -> bool:
    """Tell whether every stage has every part, or has been closed without."""
    return all(entry.ended_at is not None for entry in tallies)


def missing_parts(tallies: Sequence[StageTally], arrived: Arrived) -> tuple[str, ...]:
    """Name what is still to come, one line a stage."""
    return tuple(entry.missing(arrived) for entry in tallies if entry.ended_at is None)


def stage_seconds(tallies: Sequence[StageTally], *, requested_at: datetime) -> dict[str, float | None]:
    """Return how long each complete stage took: from the end of what it waits for to its last part."""
    end = {entry.stage: entry.last_at for entry in tallies if entry.complete}
    seconds: dict[str, float | None] = {}
    for entry in tallies:
        before = [end.get(stage) for stage in STAGES[entry.stage]]
        starts = [moment for moment in before if moment is not None]
        finished = end.get(entry.stage)
        known = finished is not None and len(starts) == len(before)
        start = max([requested_at, *starts])
        seconds[entry.stage] = max((finished - start).total_seconds(), 0.0) if known and finished else None
    return seconds
