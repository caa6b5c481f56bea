"""End a run whose every stage has ended, and announce it."""

from collections.abc import Sequence

import structlog

from services.scheduler.core.ledger import StageTally
from services.scheduler.events import batch_completed, outline
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")


async def end_run(stored: StoredRun, tallies: Sequence[StageTally], uow: UnitOfWork) -> None:
    """Close a run: completed, with errors where anything failed or never came, failed where nothing came at all."""
    repository = SchedulerRepository(uow.connection)
    failures = sum(entry.failures for entry in tallies)
    status, why = RunStatus.COMPLETED_WITH_ERRORS if failures else RunStatus.COMPLETED, None
    if not any(entry.parts_done for entry in tallies):
        status, why = RunStatus.FAILED, "nothing came before its deadlines"

    seconds = await repository.finish_run(stored.run.run_id, status, why=why)

    uow.emit(await batch_completed(stored, status, tallies, repository))
    log.info("run finished", **outline(stored.run), status=status.value, failures=failures, seconds=round(seconds, 2))
