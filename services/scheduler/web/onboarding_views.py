"""What goes out of one portfolio's runs."""

from datetime import datetime
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.core.activity import Line
from services.scheduler.core.ledger import StageTally
from services.scheduler.events import stage_counts
from services.scheduler.storage.repository import StoredRun
from services.scheduler.web.batch_views import LogEntry, elapsed, percent
from shared.contracts.scheduler import RunStatus

_PHASES = {
    "profiles.updated": "Company profiles",
    "prices.updated": "Prices",
    "fundamentals.updated": "Fundamentals",
    "symbols.factored": "Factor betas",
    "symbols.measured": "Symbol metrics",
    "portfolios.valued": "Values and snapshots",
    "portfolios.assessed": "Risk, correlations and stress tests",
}


class RunState(StrEnum):
    """How a run of a portfolio stands; with errors is completed."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @classmethod
    def of(cls, status: RunStatus) -> Self:
        """Return how a run in this status stands."""
        if status is RunStatus.ACTIVE:
            return cls("running")
        return cls("failed" if status in {RunStatus.FAILED, RunStatus.CANCELLED} else "completed")


class BatchState(BaseModel):
    """How a run of a portfolio stands; `idle` where none of this id is known yet."""

    status: RunState | Literal["idle"]
    batch_run_id: UUID
    portfolio_id: UUID
    started_at: datetime | None = None
    triggered_by: str | None = None
    elapsed_seconds: float | None = None


class Phase(BaseModel):
    """A stage of an onboarding."""

    phase_id: str
    phase_name: str
    status: Literal["pending", "running", "completed", "failed"]
    current: int
    total: int | None
    unit: Literal["parts"] = "parts"
    duration_seconds: float | None


class OverallProgress(BaseModel):
    """How many phases are completed."""

    current_phase: str | None
    current_phase_name: str | None
    phases_completed: int
    phases_total: int
    percent_complete: float


class PhaseProgress(BaseModel):
    """How far the current phase is."""

    current: int
    total: int | None
    unit: Literal["parts"] = "parts"


class OnboardingStatus(BaseModel):
    """How far the onboarding of a portfolio is; `not_found` where none is known yet."""

    portfolio_id: UUID
    status: RunState | Literal["not_found"]
    started_at: datetime | None = None
    elapsed_seconds: float | None = None
    overall_progress: OverallProgress | None = None
    current_phase_progress: PhaseProgress | None = Field(default=None, description="null: it has ended")
    activity_log: list[LogEntry] = []
    phases: list[Phase] = []
    mode: Literal["instant"] = "instant"

    @classmethod
    def of(
        cls, portfolio_id: UUID, stored: StoredRun, tallies: tuple[StageTally, ...], lines: list[Line], now: datetime
    ) -> Self:
        """Return the view of an onboarding, with its log."""
        phases = _phases(stored, tallies)
        done = sum(each.status == "completed" for each in phases)
        current = next((each for each in phases if each.status == "running"), None)
        return cls(
            portfolio_id=portfolio_id,
            status=RunState.of(stored.status),
            started_at=stored.requested_at,
            elapsed_seconds=elapsed(stored, now),
            overall_progress=OverallProgress(
                current_phase=current and current.phase_id,
                current_phase_name=current and current.phase_name,
                phases_completed=done,
                phases_total=len(phases),
                percent_complete=percent(done, len(phases)),
            ),
            current_phase_progress=current and PhaseProgress(current=current.current, total=current.total),
            activity_log=[LogEntry.of(line) for line in lines],
            phases=phases,
        )


def _phases(stored: StoredRun, tallies: tuple[StageTally, ...]) -> list[Phase]:
    counts = {each.stage: each for each in stage_counts(stored.requested_at, tallies)}
    goes_on = stored.status is RunStatus.ACTIVE
    phases: list[Phase] = []
    for entry in tallies:
        waits = any(phase.status == "running" for phase in phases)
        status: Literal["pending", "running", "completed", "failed"] = "completed"
        if not entry.complete:
            status = ("pending" if waits else "running") if goes_on else "failed"
        phases.append(
            Phase(
                phase_id=entry.stage,
                phase_name=_PHASES[entry.stage],
                status=status,
                current=entry.parts_done,
                total=entry.parts_total,
                duration_seconds=counts[entry.stage].seconds,
            )
        )
    return phases
