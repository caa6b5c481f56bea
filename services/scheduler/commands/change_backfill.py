"""Pause, resume, cancel a backfill, or have its failed cells computed again."""

from contextlib import suppress
from uuid import UUID

from services.scheduler.commands.advance_backfills import advance_backfills
from services.scheduler.commands.cancel_run import cancel_run
from services.scheduler.commands.errors import BackfillEnded, NotPaused, RunEnded, UnknownBackfill
from services.scheduler.commands.plan_backfill import plan_backfill
from services.scheduler.core.backfill_plan import Reprocess
from services.scheduler.core.backfill_progress import BackfillStatus
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository, StoredBackfill
from shared.db.unit_of_work import UnitOfWork


async def pause_backfill(backfill_id: UUID, uow: UnitOfWork) -> None:
    """Begin no more of its steps; the one in flight ends.

    Raises
    ------
    UnknownBackfill, BackfillEnded
        If there is nothing to pause.
    """
    await _get_open(backfill_id, uow)
    await BackfillRepository(uow.connection).set_status(backfill_id, BackfillStatus.PAUSED)


async def resume_backfill(backfill_id: UUID, uow: UnitOfWork) -> None:
    """Go on where it was paused; the step that was in flight is not done again.

    Raises
    ------
    UnknownBackfill, BackfillEnded, NotPaused
        If there is nothing to resume.
    """
    backfill = await _get_open(backfill_id, uow)
    if backfill.status is not BackfillStatus.PAUSED:
        raise NotPaused(backfill_id)
    await BackfillRepository(uow.connection).set_status(backfill_id, BackfillStatus.ACTIVE)
    await advance_backfills(uow)


async def cancel_backfill(backfill_id: UUID, uow: UnitOfWork) -> None:
    """Drop its queued steps and cancel the run in flight: nothing of it stays active; cells that are done stay done.

    Raises
    ------
    UnknownBackfill, BackfillEnded
        If there is nothing to cancel.
    """
    await _get_open(backfill_id, uow)
    backfills = BackfillRepository(uow.connection)
    await backfills.cancel_queued(backfill_id)
    await backfills.set_status(backfill_id, BackfillStatus.CANCELLED)
    running = await backfills.find_running_step()
    if running is not None and running.backfill_id == backfill_id and running.run_id is not None:
        # A run that has just ended is heard of in a moment, and ends the step.
        with suppress(RunEnded):
            await cancel_run(running.run_id, uow, requested_by="backfill cancelled")
    await advance_backfills(uow)


async def retry_failed_cells(backfill_id: UUID, uow: UnitOfWork, *, settings: SchedulerSettings) -> int:
    """Queue the cells of its selection that are not done, however it ended; return how many they are.

    Raises
    ------
    UnknownBackfill
        If there is no such backfill.
    """
    backfills = BackfillRepository(uow.connection)
    backfill = await _get(backfill_id, uow)
    plan = await plan_backfill(backfill.selection.of(Reprocess.FAILED), uow.connection, settings=settings)
    if plan.steps:
        await backfills.append_steps(backfill_id, plan.steps, Reprocess.FAILED)
        await backfills.set_status(backfill_id, BackfillStatus.ACTIVE)
        await advance_backfills(uow)
    return plan.wanted.count


async def _get(backfill_id: UUID, uow: UnitOfWork) -> StoredBackfill:
    backfills = BackfillRepository(uow.connection)
    await backfills.lock()
    stored = await backfills.find_backfill(backfill_id)
    if stored is None:
        raise UnknownBackfill(backfill_id)
    return stored


async def _get_open(backfill_id: UUID, uow: UnitOfWork) -> StoredBackfill:
    stored = await _get(backfill_id, uow)
    if not stored.status.is_open:
        raise BackfillEnded(backfill_id, stored.status)
    return stored
