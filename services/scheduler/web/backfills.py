"""Backfills over HTTP: planned, begun, followed, paused, cancelled, and their failed cells tried again."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.scheduler.commands.change_backfill import (
    cancel_backfill,
    pause_backfill,
    resume_backfill,
    retry_failed_cells,
)
from services.scheduler.commands.errors import UnknownBackfill
from services.scheduler.commands.plan_backfill import BackfillPlan, check_selection, plan_backfill, rates_of
from services.scheduler.commands.start_backfill import BackfillRequest, start_backfill
from services.scheduler.core.backfill_plan import Rates, Reprocess, Scope, Selection, Step
from services.scheduler.core.backfill_progress import BackfillStatus, StepStatus
from services.scheduler.core.cells import Fact
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository, StoredBackfill, StoredStep
from shared.clock import SessionClock
from shared.contracts.run import SYMBOL_PATTERN
from shared.db.unit_of_work import UnitOfWorkFactory

Limit = Annotated[int, Query(ge=1, le=1000)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="a repeated request with the same key is the same backfill",
    ),
]


class SelectionBody(BaseModel):
    """Which cells: of the sessions in [first, last], of these symbols and portfolios, or of all where none is named."""

    model_config = ConfigDict(extra="forbid")

    first: date
    last: date | None = Field(default=None, description="none: the last closed session")
    symbols: list[Annotated[str, Field(pattern=SYMBOL_PATTERN)]] | None = Field(default=None, max_length=10_000)
    portfolio_ids: list[UUID] | None = Field(default=None, max_length=10_000)
    reprocess: Reprocess = Reprocess.MISSING
    requested_by: str = Field(default="api", max_length=200, pattern=r"^[^\x00]*$")

    def selection(self, clock: SessionClock) -> Selection:
        """Return the selection; what names only symbols takes no portfolios, and the other way round."""
        symbols, portfolio_ids = self.symbols, self.portfolio_ids
        if symbols is not None or portfolio_ids is not None:
            symbols, portfolio_ids = symbols or [], portfolio_ids or []
        scope = Scope(
            None if symbols is None else frozenset(symbols),
            None if portfolio_ids is None else frozenset(map(str, portfolio_ids)),
        )
        return check_selection(self.first, self.last, scope, self.reprocess, newest=clock.last_closed_session())


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


class StepOutcomeView(StepView):
    """A step with what came of it; `run_id` is its run, whose failures say why."""

    place: int
    status: StepStatus
    run_id: UUID | None
    done: int
    unchanged: int
    failed: int


class RetryView(BaseModel):
    """How many cells are queued again."""

    backfill_id: UUID
    cells: int


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the routes of backfills."""
    router = APIRouter()
    _add_requests(router, unit_of_work, clock, settings)
    _add_reads(router, unit_of_work)
    _add_changes(router, unit_of_work, settings)
    return router


def _add_requests(
    router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings
) -> None:
    @router.post("/backfills/plan")
    async def plan(body: SelectionBody, shown: Limit = 50) -> PlanView:
        """Show which cells a backfill would compute, in which steps, and how long it would take; begin nothing."""
        async with unit_of_work.reading() as connection:
            return PlanView.of(await plan_backfill(body.selection(clock), connection, settings=settings), shown)

    @router.post("/backfills", status_code=201)
    async def start(body: SelectionBody, response: Response, idempotency_key: IdempotencyKey = None) -> BackfillView:
        """Begin a backfill (201), or show the one that was begun with the same key (200)."""
        request = BackfillRequest(body.selection(clock), body.requested_by, idempotency_key)
        async with unit_of_work() as uow:
            backfill_id, is_new = await start_backfill(request, uow, settings=settings)
            view = await _view(BackfillRepository(uow.connection), backfill_id)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/backfills/{backfill_id}"
        return view


def _add_reads(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/backfills")
    async def list_backfills(limit: Limit = 50, before: AwareDatetime | None = None) -> list[BackfillView]:
        """List backfills, the newest request first; page on with the last `requested_at` as `before`."""
        async with unit_of_work.reading() as connection:
            repository = BackfillRepository(connection)
            found = await repository.list_backfills(limit=limit, before=before)
            return [await _view(repository, stored.backfill_id) for stored in found]

    @router.get("/backfills/{backfill_id}")
    async def get_backfill(backfill_id: UUID) -> BackfillView:
        """Show how far a backfill is."""
        async with unit_of_work.reading() as connection:
            return await _view(BackfillRepository(connection), backfill_id)

    @router.get("/backfills/{backfill_id}/steps")
    async def list_steps(
        backfill_id: UUID, after: Annotated[int, Query(ge=-1)] = -1, limit: Limit = 1000
    ) -> list[StepOutcomeView]:
        """List the steps of a backfill in their order; page on with the last `place` as `after`."""
        async with unit_of_work.reading() as connection:
            steps = await BackfillRepository(connection).list_steps(backfill_id, after=after, limit=limit)
        return [_step_outcome(stored) for stored in steps]


def _add_changes(router: APIRouter, unit_of_work: UnitOfWorkFactory, settings: SchedulerSettings) -> None:
    @router.post("/backfills/{backfill_id}/pause")
    async def pause(backfill_id: UUID) -> BackfillView:
        """Begin no more steps; the one in flight ends."""
        async with unit_of_work() as uow:
            await pause_backfill(backfill_id, uow)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/resume")
    async def resume(backfill_id: UUID) -> BackfillView:
        """Go on where it was paused."""
        async with unit_of_work() as uow:
            await resume_backfill(backfill_id, uow, settings=settings)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/cancel")
    async def cancel(backfill_id: UUID) -> BackfillView:
        """Drop what is queued and cancel the run in flight; cells that are done stay done."""
        async with unit_of_work() as uow:
            await cancel_backfill(backfill_id, uow, settings=settings)
            return await _view(BackfillRepository(uow.connection), backfill_id)

    @router.post("/backfills/{backfill_id}/retry-failed")
    async def retry_failed(backfill_id: UUID) -> RetryView:
        """Queue the cells of its selection that are not done."""
        async with unit_of_work() as uow:
            cells = await retry_failed_cells(backfill_id, uow, settings=settings)
        return RetryView(backfill_id=backfill_id, cells=cells)


async def _view(repository: BackfillRepository, backfill_id: UUID) -> BackfillView:
    stored = await repository.find_backfill(backfill_id)
    if stored is None:
        raise UnknownBackfill(backfill_id)
    steps = await repository.list_steps(backfill_id)
    scope = stored.selection.scope
    return BackfillView(
        backfill_id=backfill_id,
        first=stored.selection.first,
        last=stored.selection.last,
        symbols=None if scope.symbols is None else sorted(scope.symbols),
        portfolio_ids=None if scope.portfolio_ids is None else sorted(scope.portfolio_ids),
        reprocess=stored.selection.reprocess,
        status=stored.status,
        requested_by=stored.requested_by,
        requested_at=stored.requested_at,
        finished_at=stored.finished_at,
        progress=_progress(stored, steps, rates_of(await repository.load_rates())),
    )


def _progress(stored: StoredBackfill, steps: Sequence[StoredStep], rates: Rates) -> ProgressView:
    waiting = [each.step for each in steps if each.status in {StepStatus.QUEUED, StepStatus.RUNNING}]
    goes_on = stored.status is BackfillStatus.ACTIVE
    return ProgressView(
        cells=sum(each.step.cells for each in steps),
        done=sum(each.outcome.done for each in steps),
        unchanged=sum(each.outcome.unchanged for each in steps),
        failed=sum(each.outcome.failed for each in steps),
        steps=len(steps),
        steps_ended=len(steps) - len(waiting),
        eta_s=round(sum(map(rates.seconds, waiting)), 1) if goes_on else None,
    )


def _step_outcome(stored: StoredStep) -> StepOutcomeView:
    return StepOutcomeView(
        **StepView.of(stored.step).model_dump(),
        place=stored.place,
        status=stored.status,
        run_id=stored.run_id,
        done=stored.outcome.done,
        unchanged=stored.outcome.unchanged,
        failed=stored.outcome.failed,
    )
