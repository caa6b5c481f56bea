"""Repair what earlier nights have left out: a backfill of the cells that nobody computed, per symbol and portfolio."""

from datetime import date
from uuid import UUID

from services.scheduler.commands.plan_backfill import plan_backfill
from services.scheduler.commands.start_backfill import BackfillRequest, begin
from services.scheduler.core.backfill_plan import Selection
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository
from shared.calendar import FIRST_SESSION, shift_session
from shared.db.unit_of_work import UnitOfWork

REPAIR = "nightly repair"


async def repair_gaps(night: date, uow: UnitOfWork, *, settings: SchedulerSettings) -> UUID | None:
    """Begin a backfill of the cells that are missing in the sessions before a night; None if none is.

    A repair that is still under way is left to end: the next night finds what came after it.
    """
    backfills = BackfillRepository(uow.connection)
    await backfills.lock()
    if not settings.max_backfill_dates or await backfills.find_open_by(REPAIR) is not None:
        return None
    last = shift_session(night, -1)
    first = max(shift_session(last, 1 - settings.max_backfill_dates), FIRST_SESSION)
    request = BackfillRequest(Selection(first, last), REPAIR)
    plan = await plan_backfill(request.selection, uow.connection, settings=settings)
    return await begin(plan, request, uow) if plan.steps else None
