"""Begin a backfill: its plan is stored as steps, which `advance_backfills` works off."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from services.scheduler.commands.advance_backfills import advance_backfills
from services.scheduler.commands.errors import IdempotencyKeyReused
from services.scheduler.commands.plan_backfill import BackfillPlan, plan_backfill
from services.scheduler.core.backfill_plan import Selection
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository
from shared.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """Which cells, for whom; the key makes a repeated request the same one."""

    selection: Selection
    requested_by: str
    idempotency_key: str | None = None


async def start_backfill(
    request: BackfillRequest, uow: UnitOfWork, *, settings: SchedulerSettings
) -> tuple[UUID, bool]:
    """Store the backfill and begin it; return it, and whether it is new.

    Raises
    ------
    UnknownSubjects
        If a symbol or a portfolio of the selection is in no book and was never computed.
    IdempotencyKeyReused
        If the key stands for another selection.
    """
    backfills = BackfillRepository(uow.connection)
    await backfills.lock()
    known = None if request.idempotency_key is None else await backfills.find_by_key(request.idempotency_key)
    if known is not None:
        if known.selection != request.selection:
            raise IdempotencyKeyReused(request.idempotency_key or "", known.backfill_id)
        return known.backfill_id, False
    plan = await plan_backfill(request.selection, uow.connection, settings=settings)
    return await begin(plan, request, uow, settings=settings), True


async def begin(plan: BackfillPlan, request: BackfillRequest, uow: UnitOfWork, *, settings: SchedulerSettings) -> UUID:
    """Store the steps of a plan as a new backfill and begin the first."""
    backfills = BackfillRepository(uow.connection)
    backfill_id = uuid4()
    await backfills.append_backfill(backfill_id, request.selection, request.requested_by, request.idempotency_key)
    await backfills.append_steps(backfill_id, plan.steps, request.selection.reprocess)
    await advance_backfills(uow, settings=settings)
    return backfill_id
