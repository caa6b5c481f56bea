"""Begin a backfill: its plan is stored as steps, which `advance_backfills` works off."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from services.scheduler.commands.advance_backfills import advance_backfills
from services.scheduler.commands.plan_backfill import BackfillPlan, plan_backfill
from services.scheduler.core.backfill_plan import Selection
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository
from services.scheduler.storage.repository import scope_of
from shared.db.keyed_requests import answer_once
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

    async def plan_and_begin() -> tuple[UUID, bool]:
        await BackfillRepository(uow.connection).lock()
        plan = await plan_backfill(request.selection, uow.connection, settings=settings)
        return await begin(plan, request, uow), True

    asked = request.selection
    said = f"backfill of {asked.first} to {asked.last} {asked.reprocess} {scope_of(asked.scope)}"
    return await answer_once(uow.connection, request.idempotency_key, said, UUID, plan_and_begin)


async def begin(plan: BackfillPlan, request: BackfillRequest, uow: UnitOfWork) -> UUID:
    """Store the steps of a plan as a new backfill and begin the first."""
    backfills = BackfillRepository(uow.connection)
    backfill_id = uuid4()
    await backfills.append_backfill(backfill_id, request.selection, request.requested_by)
    await backfills.append_steps(backfill_id, plan.steps, request.selection.reprocess)
    await advance_backfills(uow)
    return backfill_id
