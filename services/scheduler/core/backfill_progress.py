"""How backfills and their steps stand, and what came of a step."""

from dataclasses import dataclass
from enum import StrEnum


class BackfillStatus(StrEnum):
    """How a backfill stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"

    @property
    def is_open(self) -> bool:
        """Whether it may still go on."""
        return self in {BackfillStatus.ACTIVE, BackfillStatus.PAUSED}


class StepStatus(StrEnum):
    """How a step stands; skipped: its cells were done before its turn came."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How many of the wanted cells of a step are done, of these unchanged, and how many failed."""

    done: int = 0
    unchanged: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """How long finished steps of symbols, or of portfolios, took: seconds a subject and session; None: none yet."""

    symbol_session_s: float | None
    portfolio_session_s: float | None
