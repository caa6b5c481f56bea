"""The run ledger's arithmetic: which stages a run has, when it is complete, and how long each stage took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

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


@dataclass(frozen=True, slots=True)
class StageTally:
    """What has arrived of one stage of a run.

    Attributes
    ----------
    parts_total : int or None
        None while no part has arrived: each part says how many there are.
    """

    stage: str
    parts_done: int
    parts_total: int | None
    subjects: int
    failures: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def complete(self) -> bool:
        """Whether every part is in."""
        return self.parts_total is not None and self.parts_done >= self.parts_total


def tally(arrived: Sequence[StageTally]) -> tuple[StageTally, ...]:
    """Return one tally per stage of `STAGES`, in its order, with empty ones for those nothing has arrived of."""
    by_stage = {entry.stage: entry for entry in arrived}
    return tuple(by_stage.get(stage, StageTally(stage, 0, None, 0, 0, None, None)) for stage in STAGES)


def run_complete(tallies: Sequence[StageTally]) -> bool:
    """Tell whether every stage has every part."""
    return all(entry.complete for entry in tallies)


def missing_parts(tallies: Sequence[StageTally]) -> tuple[str, ...]:
    """Name what has not arrived, one line a stage."""
    return tuple(
        f"{entry.stage}: {entry.parts_done} of {entry.parts_total or 'unknown'} parts"
        for entry in tallies
        if not entry.complete
    )


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
