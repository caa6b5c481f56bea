"""What goes out of runs, the schedule and backfills."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.commands.plan_backfill import BackfillPlan
from services.scheduler.core.activity import Level, Line, Pace, What
from services.scheduler.core.backfill_plan import Rates, Reprocess, Step
from services.scheduler.core.backfill_progress import BackfillStatus, StepStatus
from services.scheduler.core.causes import Cause
from services.scheduler.core.cells import Fact
from services.scheduler.core.ledger import StageTally
from services.scheduler.core.schedule import Due, Outcome, Stage
from services.scheduler.events import stage_counts
from services.scheduler.storage.backfill_repository import StoredBackfill, StoredStep
from services.scheduler.storage.repository import StoredRun
from services.scheduler.storage.schedule_repository import Fire, Pause
from shared.contracts.event import Failure, Measure
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus, StageCount
from shared.unavailable import Unavailable

_EXAMPLES: Final = 20


class StageFailure(Failure):
    """A failed cell and the stage that reported it."""

    stage: str


class RunSummary(BaseModel):
    """A run in a list."""

    run: Run
    status: RunStatus
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, stored: StoredRun) -> Self:
        """Return the line of a run."""
        return cls(
            run=stored.run, status=stored.status, requested_at=stored.requested_at, finished_at=stored.finished_at
        )


class RunView(BaseModel):
    """A run and how it stands."""

    run: Run
    status: RunStatus
    requested_at: datetime
    finished_at: datetime | None
    seconds: float | None
    eta: Measure | None = Field(description="the seconds that are left, or why nobody knows; null: it has ended")
    stages: tuple[StageCount, ...]
    failures: list[StageFailure]
    missing: tuple[str, ...]

    @classmethod
    def of(
        cls,
        stored: StoredRun,
        tallies: Sequence[StageTally],
        missing: tuple[str, ...],
        failed: Sequence[tuple[str, Failure]],
        pace: Pace | None,
    ) -> Self:
        """Return the view of a run with its tallies, what failed in it, and its pace while it goes on."""
        ended = stored.finished_at
        return cls(
            run=stored.run,
            status=stored.status,
            requested_at=stored.requested_at,
            finished_at=ended,
            seconds=None if ended is None else (ended - stored.requested_at).total_seconds(),
            eta=None if pace is None else Measure.of(pace.seconds_left(pace.read_at)),
            stages=stage_counts(stored.requested_at, tallies),
            failures=[StageFailure(stage=stage, **failure.model_dump()) for stage, failure in failed],
            missing=missing,
        )


class LineView(BaseModel):
    """A line of a run's log."""

    place: int = Field(description="grows from line to line; 0 is the first line of every run")
    at: datetime
    what: What
    level: Level
    message: str
    stage: str | None = Field(description="null: the line is about the run")
    parts_done: int | None = Field(description="how far the stage was with this part; null: the line is about none")
    parts_total: int | None

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return the view of a line."""
        return cls.model_validate(line, from_attributes=True)


class ToldLine(LineView):
    """A line as it is told while the run goes on."""

    eta_s: float | None = Field(description="how long the run took from there; null where that is not known")

    @classmethod
    def told(cls, line: Line, pace: Pace) -> Self:
        """Return the view of a line of a run with this pace."""
        left = 0.0 if line.what is What.ENDED else pace.seconds_left(line.at)
        return cls(**LineView.of(line).model_dump(), eta_s=None if isinstance(left, Unavailable) else round(left, 1))


class HolderView(BaseModel):
    """A portfolio that holds what failed, or failed itself."""

    portfolio_id: UUID
    name: str | None


class CauseView(BaseModel):
    """Symbols or portfolios that a run could not serve for one reason, and what that made unavailable further down."""

    stage: str = Field(description="the first that could not serve them")
    reason: str
    detail: str = Field(description="of the first subject; those of the others differ in numbers and names at most")
    subjects: int = Field(description="how many")
    first_subjects: list[str]
    then: tuple[str, ...] = Field(description="the later stages that could not serve them either")
    portfolios: int = Field(description="how many hold any of them, or are among them")
    first_portfolios: list[HolderView]

    @classmethod
    def of(cls, cause: Cause, names: Mapping[str, str | None]) -> Self:
        """Return the view of a cause, with the names of portfolios."""
        return cls(
            stage=cause.stage,
            reason=cause.reason,
            detail=cause.detail,
            subjects=len(cause.subjects),
            first_subjects=list(cause.subjects[:_EXAMPLES]),
            then=cause.then,
            portfolios=len(cause.portfolios),
            first_portfolios=[
                HolderView(portfolio_id=UUID(each), name=names.get(each)) for each in cause.portfolios[:_EXAMPLES]
            ],
        )


class TriggerView(BaseModel):
    """A trigger as it is set."""

    stage: Stage
    crontab: str
    zone: str


class DueView(BaseModel):
    """A time to come, in UTC."""

    stage: Stage
    due_at: datetime
    session: date = Field(description="the last one that will have closed and settled by then")
    expected: Literal["fires", "closed day", "paused"]

    @classmethod
    def of(cls, due: Due, *, active: bool) -> Self:
        """Return the view of a time at which the schedule asks, if it is active."""
        expected: Literal["fires", "closed day", "paused"] = "fires" if active else "paused"
        return cls(
            stage=due.stage,
            due_at=due.due_at,
            session=due.session,
            expected="closed day" if due.is_closed_day else expected,
        )


class FireView(BaseModel):
    """A trigger that fired, at its time or by hand, and what came of it."""

    fire_id: UUID
    stage: Stage
    due_at: datetime
    fired_at: datetime = Field(description="later than it was due where a missed time was made up for")
    session: date
    outcome: Outcome
    detail: str
    run_ids: tuple[UUID, ...] = Field(description="the runs that it asked for or joined, so far if it is waiting")
    waits_for: UUID | None = Field(description="the run over symbols that the portfolios go on from")
    asked_by: str | None = Field(description="who fired it by hand; null: its time did")
    fired_by: str = Field(description="the host and the process")

    @classmethod
    def of(cls, fire: Fire) -> Self:
        """Return the view of what fired."""
        return cls.model_validate(fire, from_attributes=True)


class PauseView(BaseModel):
    """A time in which the schedule asks for nothing."""

    paused_at: datetime
    paused_by: str
    why: str
    resumed_at: datetime | None
    resumed_by: str | None

    @classmethod
    def of(cls, pause: Pause) -> Self:
        """Return the view of a pause."""
        return cls.model_validate(pause, from_attributes=True)


class ScheduleView(BaseModel):
    """The schedule as it stands."""

    enabled: bool = Field(description="BATCH_PROCESSING_ENABLED")
    pause: PauseView | None
    triggers: list[TriggerView]
    next: list[DueView]
    last: list[FireView]


class StepView(BaseModel):
    """One run of a backfill, or what will be one."""

    first_session: date
    last_session: date
    symbols: int = Field(description="how many")
    portfolios: int = Field(description="how many")
    cells: int = Field(description="wanted of it")

    @classmethod
    def of(cls, step: Step) -> Self:
        """Return the view of a step."""
        return cls(
            first_session=step.first_session,
            last_session=step.last_session,
            symbols=len(step.symbols),
            portfolios=len(step.portfolio_ids),
            cells=step.cells,
        )


class PlanView(BaseModel):
    """What a backfill would compute."""

    cells: int
    cells_by_fact: dict[Fact, int]
    sessions: list[date] = Field(description="at which anything is wanted")
    symbols_to_fetch: int = Field(description="symbols of which a bar is missing: providers are asked for each")
    steps: int
    seconds: float = Field(description="from the rates of the newest steps, while nothing else runs")
    first_steps: list[StepView]

    @classmethod
    def of(cls, plan: BackfillPlan, shown: int) -> Self:
        """Return the view of a plan with its first steps."""
        return cls(
            cells=plan.wanted.count,
            cells_by_fact=dict(plan.wanted.by_fact),
            sessions=sorted({*plan.wanted.symbols, *plan.wanted.portfolios}),
            symbols_to_fetch=plan.symbols_to_fetch,
            steps=len(plan.steps),
            seconds=round(plan.seconds, 1),
            first_steps=[StepView.of(step) for step in plan.steps[:shown]],
        )


class ProgressView(BaseModel):
    """How many cells are wanted, done, of these unchanged because nothing they were made of had changed, and failed."""

    cells: int
    done: int
    unchanged: int
    failed: int
    steps: int
    steps_ended: int
    eta_s: float | None = Field(description="null: it has ended, or is paused")

    @classmethod
    def of(cls, stored: StoredBackfill, steps: Sequence[StoredStep], rates: Rates) -> Self:
        """Return how far the steps of a backfill are; what is waiting takes as long as the rates say."""
        waiting = [each.step for each in steps if each.status in {StepStatus.QUEUED, StepStatus.RUNNING}]
        goes_on = stored.status is BackfillStatus.ACTIVE
        return cls(
            cells=sum(each.step.cells for each in steps),
            done=sum(each.outcome.done for each in steps),
            unchanged=sum(each.outcome.unchanged for each in steps),
            failed=sum(each.outcome.failed for each in steps),
            steps=len(steps),
            steps_ended=len(steps) - len(waiting),
            eta_s=round(sum(map(rates.seconds, waiting)), 1) if goes_on else None,
        )


class BackfillView(BaseModel):
    """A backfill and how it stands."""

    backfill_id: UUID
    first: date
    last: date
    symbols: list[str] | None
    portfolio_ids: list[str] | None
    reprocess: Reprocess
    status: BackfillStatus
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    progress: ProgressView

    @classmethod
    def of(cls, stored: StoredBackfill, progress: ProgressView) -> Self:
        """Return the view of a backfill that is so far."""
        scope = stored.selection.scope
        return cls(
            backfill_id=stored.backfill_id,
            first=stored.selection.first,
            last=stored.selection.last,
            symbols=None if scope.symbols is None else sorted(scope.symbols),
            portfolio_ids=None if scope.portfolio_ids is None else sorted(scope.portfolio_ids),
            reprocess=stored.selection.reprocess,
            status=stored.status,
            requested_by=stored.requested_by,
            requested_at=stored.requested_at,
            finished_at=stored.finished_at,
            progress=progress,
        )


class StepOutcomeView(StepView):
    """A step with what came of it; `run_id` is its run, whose failures say why."""

    place: int
    status: StepStatus
    run_id: UUID | None
    done: int
    unchanged: int
    failed: int

    @classmethod
    def of_stored(cls, stored: StoredStep) -> Self:
        """Return the view of a step as it stands."""
        return cls(
            **StepView.of(stored.step).model_dump(),
            place=stored.place,
            status=stored.status,
            run_id=stored.run_id,
            done=stored.outcome.done,
            unchanged=stored.outcome.unchanged,
            failed=stored.outcome.failed,
        )


class RetryView(BaseModel):
    """How many cells are queued again."""

    backfill_id: UUID
    cells: int
