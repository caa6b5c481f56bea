"""What the scheduler publishes."""

from datetime import datetime
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


class FailureCause(Contract):
    """Subjects that a run could not serve for one reason.

    Attributes
    ----------
    stage : str
        The first stage that reported it.
    detail : str
        That of the first subject; those of the others differ in numbers and names at most.
    subjects : int
        How many; `examples` are the first of them.
    then : tuple of str
        The later stages that could not serve them either.
    portfolios : int
        How many hold any of them, or are among them.
    """

    stage: str
    reason: str
    detail: str
    subjects: int
    examples: tuple[str, ...]
    then: tuple[str, ...]
    portfolios: int


class BatchTriggered(Event):
    """A run was asked for and is open."""

    topic: ClassVar[str] = "batch.triggered"
    keyed_by_run: ClassVar[bool] = True


class BatchCompleted(Event):
    """A run reached its end, with or without errors; to listeners, one that was cancelled has failed.

    Attributes
    ----------
    sessions : int or None
        How many sessions it was over.
    seconds : float or None
        From the request to the end.
    why : str or None
        What ended it, where that was no last part.
    causes : tuple of FailureCause
        Of what could not be served, the cause of the most subjects first; the run's route `causes` has them all.
    """

    topic: ClassVar[str] = "batch.completed"
    keyed_by_run: ClassVar[bool] = True

    status: PublishedStatus
    cancelled: bool = Field(default=False, description="it has failed because somebody cancelled it")
    stages: tuple[StageCount, ...]
    sessions: int | None = None
    requested_at: datetime | None = None
    seconds: float | None = None
    why: str | None = None
    causes: tuple[FailureCause, ...] = ()
