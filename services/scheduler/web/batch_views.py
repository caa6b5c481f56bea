"""What goes out of the batch endpoints, in the fields that their callers know."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.core.activity import Level, Line
from services.scheduler.core.causes import Cause
from services.scheduler.core.ledger import StageTally
from services.scheduler.events import stage_counts
from services.scheduler.storage.repository import StatusCount, StoredRun
from shared.contracts.scheduler import RunStatus
from shared.paths import API

Everything = Literal["all"]
_CAUSES = 20


class BatchStatus(StrEnum):
    """How a run stands: `partial` has ended without some of what it was to compute."""

    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def of(cls, status: RunStatus) -> Self:
        """Return how a run in this status stands."""
        return cls(_STATUSES[status])

    @property
    def run_status(self) -> RunStatus:
        """The status of such a run."""
        return next(status for status, name in _STATUSES.items() if name == self)


_STATUSES = {
    RunStatus.ACTIVE: "running",
    RunStatus.COMPLETED: "completed",
    RunStatus.COMPLETED_WITH_ERRORS: "partial",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
}


class DateRange(BaseModel):
    """The sessions of a run."""

    start: date
    end: date


class Started(BaseModel):
    """A run that was asked for; `running` where the same one was under way already."""

    status: Literal["started", "running"]
    message: str
    batch_run_id: UUID
    triggered_by: str
    timestamp: datetime
    poll_url: str

    @classmethod
    def of(cls, stored: StoredRun, message: str, *, is_new: bool, now: datetime, **more: object) -> Self:
        """Return what is said of a run that was asked for."""
        run = stored.run
        said = {
            "status": "started" if is_new else "running",
            "message": message,
            "batch_run_id": run.run_id,
            "triggered_by": run.requested_by,
            "timestamp": now,
            "poll_url": f"{API}/admin/batch/history/{run.run_id}",
        }
        return cls.model_validate(said | more)


class BatchStarted(Started):
    """A batch that was asked for."""

    portfolio_id: UUID | Everything
    force_rerun: bool
    date_range: DateRange


class ProfilesStarted(Started):
    """A refresh of company profiles that was asked for."""

    info: str


class TagsStarted(Started):
    """Sectors that are given to positions again; how many positions have one is known when the run has ended."""

    portfolios_processed: int
    total_portfolios: int
    positions_tagged: int | None
    positions_skipped: int | None
    tags_created: int = Field(description="0: the sector of a position is a field of it")


class Jobs(BaseModel):
    """The parts of the stages of a run: `failed` those of stages that have ended without them."""

    total: int
    completed: int
    failed: int
    pending: int

    @classmethod
    def of(cls, stored: StoredRun, tallies: Sequence[StageTally]) -> Self:
        """Return how far a run is; a stage that nothing has arrived of is one part."""
        total, done = sum(each.parts_total or 1 for each in tallies), sum(each.parts_done for each in tallies)
        ended = stored.finished_at is not None
        return cls(
            total=total, completed=done, failed=total - done if ended else 0, pending=0 if ended else total - done
        )


class Idle(BaseModel):
    """No run is under way."""

    status: Literal["idle"] = "idle"
    batch_run_id: None = None
    message: str = "no run is under way"


class Running(BaseModel):
    """The run under way that was asked for last."""

    status: Literal["running"] = "running"
    batch_run_id: UUID
    started_at: datetime
    elapsed_seconds: float
    triggered_by: str
    jobs: Jobs
    current_job: str | None = Field(description="the first stage that is not complete")
    current_portfolio: UUID | None = Field(description="null: the run is about none, or about several")
    progress_percent: float

    @classmethod
    def of(cls, stored: StoredRun, tallies: Sequence[StageTally], now: datetime) -> Self:
        """Return the view of a run under way."""
        jobs, portfolio_ids = Jobs.of(stored, tallies), stored.run.portfolio_ids or ()
        return cls(
            batch_run_id=stored.run.run_id,
            started_at=stored.requested_at,
            elapsed_seconds=elapsed(stored, now),
            triggered_by=stored.run.requested_by,
            jobs=jobs,
            current_job=next((each.stage for each in tallies if not each.complete), None),
            current_portfolio=portfolio_ids[0] if len(portfolio_ids) == 1 else None,
            progress_percent=percent(jobs.completed, jobs.total),
        )


class HistoryEntry(BaseModel):
    """A run of the past days."""

    id: UUID
    batch_run_id: UUID
    triggered_by: str
    started_at: datetime
    completed_at: datetime | None
    status: BatchStatus
    total_jobs: int
    completed_jobs: int
    failed_jobs: int
    duration_seconds: float | None
    phase_durations: dict[str, float] = Field(description="seconds of each stage that is complete")
    has_errors: bool

    @classmethod
    def of(cls, stored: StoredRun, tallies: Sequence[StageTally]) -> Self:
        """Return the line of a run."""
        jobs = Jobs.of(stored, tallies)
        return cls(
            id=stored.run.run_id,
            batch_run_id=stored.run.run_id,
            triggered_by=stored.run.requested_by,
            started_at=stored.requested_at,
            completed_at=stored.finished_at,
            status=BatchStatus.of(stored.status),
            total_jobs=jobs.total,
            completed_jobs=jobs.completed,
            failed_jobs=jobs.failed,
            duration_seconds=duration(stored),
            phase_durations=phase_durations(stored, tallies),
            has_errors=any(each.failures for each in tallies) or stored.status is RunStatus.FAILED,
        )


class History(BaseModel):
    """The runs of the past days, the newest first; `total_count` is of all of them, `runs` has `limit` of them."""

    total_count: int
    days: int
    status_filter: BatchStatus | None
    runs: list[HistoryEntry]


class MostRecent(BaseModel):
    """The newest run."""

    batch_run_id: UUID
    status: BatchStatus
    started_at: datetime
    triggered_by: str

    @classmethod
    def of(cls, stored: StoredRun) -> Self:
        """Return the view of a run."""
        return cls(
            batch_run_id=stored.run.run_id,
            status=BatchStatus.of(stored.status),
            started_at=stored.requested_at,
            triggered_by=stored.run.requested_by,
        )


class HistorySummary(BaseModel):
    """How the runs of the past days went."""

    period_days: int
    total_runs: int
    status_breakdown: dict[BatchStatus, int]
    success_rate_percent: float | None = Field(description="of the runs that have ended; null: none has")
    avg_duration_seconds: float | None = Field(description="of the runs that have ended; null: none has")
    most_recent: MostRecent | None

    @classmethod
    def of(cls, counts: Sequence[StatusCount], newest: StoredRun | None, days: int) -> Self:
        """Return the summary of runs of which so many are in each status."""
        by_status = {BatchStatus.of(each.status): each for each in counts}
        breakdown = {each: by_status[each].runs if each in by_status else 0 for each in BatchStatus}
        ended = sum(breakdown.values()) - breakdown[BatchStatus.RUNNING]
        seconds = sum(each.seconds for each in counts)
        return cls(
            period_days=days,
            total_runs=sum(breakdown.values()),
            status_breakdown=breakdown,
            success_rate_percent=percent(breakdown[BatchStatus.COMPLETED], ended) if ended else None,
            avg_duration_seconds=round(seconds / ended, 3) if ended else None,
            most_recent=None if newest is None else MostRecent.of(newest),
        )


class EndedJobs(BaseModel):
    """The parts of a run, and how many of a hundred are done."""

    total: int
    completed: int
    failed: int
    success_rate: float


class ErrorCause(BaseModel):
    """Why a run could not serve subjects."""

    stage: str
    reason: str
    detail: str
    subjects: int = Field(description="how many")


class ErrorSummary(BaseModel):
    """What a run could not serve."""

    count: int = Field(description="symbols and portfolios")
    causes: list[ErrorCause]

    @classmethod
    def of(cls, causes: Sequence[Cause]) -> Self:
        """Return the summary of what failed."""
        return cls(
            count=sum(len(cause.subjects) for cause in causes),
            causes=[
                ErrorCause(stage=each.stage, reason=each.reason, detail=each.detail, subjects=len(each.subjects))
                for each in causes[:_CAUSES]
            ],
        )


class BatchDetail(BaseModel):
    """A run in detail."""

    batch_run_id: UUID
    triggered_by: str
    started_at: datetime
    completed_at: datetime | None
    status: BatchStatus
    jobs: EndedJobs
    duration_seconds: float | None
    phase_durations: dict[str, float]
    error_summary: ErrorSummary | None = Field(description="null: nothing failed")
    created_at: datetime

    @classmethod
    def of(cls, stored: StoredRun, tallies: Sequence[StageTally], causes: Sequence[Cause]) -> Self:
        """Return the view of a run."""
        jobs = Jobs.of(stored, tallies)
        rate = percent(jobs.completed, jobs.total)
        return cls(
            batch_run_id=stored.run.run_id,
            triggered_by=stored.run.requested_by,
            started_at=stored.requested_at,
            completed_at=stored.finished_at,
            status=BatchStatus.of(stored.status),
            jobs=EndedJobs(total=jobs.total, completed=jobs.completed, failed=jobs.failed, success_rate=rate),
            duration_seconds=duration(stored),
            phase_durations=phase_durations(stored, tallies),
            error_summary=ErrorSummary.of(causes) if causes else None,
            created_at=stored.requested_at,
        )


class LogEntry(BaseModel):
    """A line of a log."""

    timestamp: datetime
    message: str
    level: Level
    stage: str | None = Field(description="null: the line is about the run")

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return the view of a line."""
        return cls(timestamp=line.at, message=line.message, level=line.level, stage=line.stage)


class Log(BaseModel):
    """What happened in a run, the oldest first; of a count, no entries."""

    batch_run_id: UUID
    total_count: int
    entries: list[LogEntry]


def duration(stored: StoredRun) -> float | None:
    """Return how long a run took, None while it goes on."""
    return None if stored.finished_at is None else _seconds(stored.requested_at, stored.finished_at)


def elapsed(stored: StoredRun, now: datetime) -> float:
    """Return how long a run took, or has taken until now."""
    return _seconds(stored.requested_at, stored.finished_at or now)


def phase_durations(stored: StoredRun, tallies: Sequence[StageTally]) -> dict[str, float]:
    """Return the seconds of each stage that is complete."""
    return {each.stage: each.seconds for each in stage_counts(stored.requested_at, tallies) if each.seconds is not None}


def percent(part: int, whole: int) -> float:
    """Return how many of a hundred."""
    return round(100 * part / whole, 1) if whole else 0.0


def _seconds(since: datetime, until: datetime) -> float:
    return round(max((until - since).total_seconds(), 0.0), 3)
