"""What the scheduler publishes."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.event import Event
from shared.contracts.run import Contract


class RunStatus(StrEnum):
    """How a run stands."""

    ACTIVE = "active"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


# What listeners know: a status that was added later is none of theirs.
PublishedStatus = Literal[RunStatus.ACTIVE, RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.FAILED]


class StageCount(Contract):
    """How far one stage of a run came."""

    stage: str
    parts_done: int
    parts_total: int | None
    subjects: int
    failures: int
    seconds: float | None


class BatchTriggered(Event):
    """A run was asked for and is open."""

    topic: ClassVar[str] = "batch.triggered"
    keyed_by_run: ClassVar[bool] = True


class BatchCompleted(Event):
    """A run reached its end, with or without errors; to listeners, one that was cancelled has failed."""

    topic: ClassVar[str] = "batch.completed"
    keyed_by_run: ClassVar[bool] = True

    status: PublishedStatus
    cancelled: bool = Field(default=False, description="it has failed because somebody cancelled it")
    stages: tuple[StageCount, ...]
