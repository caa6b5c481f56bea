"""What the scheduler publishes."""

from enum import StrEnum
from typing import ClassVar

from shared.contracts.event import Event
from shared.contracts.run import Contract


class RunStatus(StrEnum):
    """How a run stands."""

    ACTIVE = "active"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


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
    """A run reached its end, with or without errors."""

    topic: ClassVar[str] = "batch.completed"
    keyed_by_run: ClassVar[bool] = True

    status: RunStatus
    stages: tuple[StageCount, ...]
