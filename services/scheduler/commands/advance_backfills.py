"""Let backfills go on: settle the step whose run has ended, and begin the next one when nothing live runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from services.scheduler.core.backfill_plan import Reprocess, Scope, Selection, Step, count_left, wanted_cells
from services.scheduler.core.backfill_progress import BackfillStatus, StepOutcome, StepStatus
from services.scheduler.core.books import Expected
from services.scheduler.core.cells import Fact, Grid, SaidPart, grid_of
from services.scheduler.storage.backfill_repository import BackfillRepository, StoredBackfill, StoredStep
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.contracts.scheduler import BatchTriggered, RunStatus
from shared.db.unit_of_work import UnitOfWork


async def advance_backfills(uow: UnitOfWork) -> None:
    """Settle what has ended and begin the next step: one at a time, the oldest first, never beside a live run.

    Safe to call at any time and by anyone: whoever comes second waits, and then sees what the first one did.
    """
    backfills, runs = BackfillRepository(uow.connection), SchedulerRepository(uow.connection)
    await backfills.lock()
    running = await backfills.find_running_step()
    if running is not None and not await _settle(running, uow):
        return
    while not await runs.has_live_run():
        backfill = await backfills.find_oldest_active()
        if backfill is None or await _begin_next_step(backfill, uow):
            return
        await _finish(backfill, backfills)


async def _settle(running: StoredStep, uow: UnitOfWork) -> bool:
    """Record what came of a step; False while its run goes on."""
    backfills, runs = BackfillRepository(uow.connection), SchedulerRepository(uow.connection)
    run = None if running.run_id is None else await runs.find_run(running.run_id)
    if run is not None and run.status is RunStatus.ACTIVE:
        return False
    is_cancelled = run is not None and run.status is RunStatus.CANCELLED
    cells, wanted = await _load_cells(running.step, uow), running.step.cells
    left = min(cells.left_by(running), wanted)
    unchanged = 0 if run is None else await _count_unchanged(cells, run.run.run_id, uow)
    outcome = StepOutcome(done=wanted - left, unchanged=min(unchanged, wanted - left), failed=left)
    await backfills.end_step(running, StepStatus.CANCELLED if is_cancelled else StepStatus.DONE, outcome)
    return True


async def _begin_next_step(backfill: StoredBackfill, uow: UnitOfWork) -> bool:
    """Open the run of the next step of which anything is still wanted; False if there is none."""
    backfills, runs = BackfillRepository(uow.connection), SchedulerRepository(uow.connection)
    while (queued := await backfills.find_next_step(backfill.backfill_id)) is not None:
        cells = await _load_cells(queued.step, uow)
        if not cells.count(queued.reprocess):
            await backfills.end_step(queued, StepStatus.SKIPPED, StepOutcome(done=queued.step.cells))
            continue
        run = _run(backfill, queued.step)
        await runs.store_run(run, scope=f"{scope_of(run)} run={run.run_id}")
        await backfills.begin_step(queued, run.run_id)
        uow.emit(BatchTriggered(run=run, part=ONLY_PART))
        return True
    return False


def _run(backfill: StoredBackfill, step: Step) -> Run:
    return Run(
        run_id=uuid4(),
        kind=RunKind.BACKFILL,
        first_session=step.first_session,
        last_session=step.last_session,
        symbols=step.symbols,
        portfolio_ids=tuple(map(UUID, step.portfolio_ids)),
        requested_by=f"backfill {backfill.backfill_id}",
    )


@dataclass(frozen=True, slots=True)
class _StepCells:
    """What has been said of the cells of a step, and which of them are expected."""

    selection: Selection
    said: Sequence[SaidPart]
    grid: Grid
    expected: Expected

    def count(self, reprocess: Reprocess) -> int:
        """Return how many of them are wanted now."""
        return wanted_cells(self.grid, self.expected, self.selection.of(reprocess)).count

    def left_by(self, step: StoredStep) -> int:
        """Return how many of them were wanted before the run of the step and are not done after it."""
        before = grid_of(said for said in self.said if said.run_id != step.run_id)
        return count_left(before, self.grid, self.expected, self.selection.of(step.reprocess))


async def _load_cells(step: Step, uow: UnitOfWork) -> _StepCells:
    subjects = (*step.symbols, *step.portfolio_ids)
    selection = Selection(step.first_session, step.last_session, Scope.of(step.symbols, step.portfolio_ids))
    cells = CellRepository(uow.connection)
    said = await cells.load_parts_of(subjects, selection.first, selection.last, tuple(Fact))
    grid = grid_of(said)
    return _StepCells(selection, said, grid, Expected.of(await BookRepository(uow.connection).load_books(), grid))


async def _count_unchanged(cells: _StepCells, run_id: UUID, uow: UnitOfWork) -> int:
    """Return how many cells of a step, of those that have a digest, its run has found as they were.

    A run computes more than its step, the proxies at least: whatever it wrote is taken for the step's.
    """
    scope = cells.selection.scope
    told = {
        (part.session, part.fact, subject)
        for part in (said.part for said in cells.said if said.run_id == run_id)
        if part.fact is not Fact.BARS
        for subject in (*part.done, *part.failed)
        if scope.takes(subject, part.fact)
    }
    return max(len(told) - await SchedulerRepository(uow.connection).count_written(run_id), 0)


async def _finish(backfill: StoredBackfill, backfills: BackfillRepository) -> None:
    failed = await backfills.count_failed_cells(backfill.backfill_id)
    status = BackfillStatus.COMPLETED_WITH_ERRORS if failed else BackfillStatus.COMPLETED
    await backfills.set_status(backfill.backfill_id, status)
