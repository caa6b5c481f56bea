"""End runs, and announce it."""

from collections.abc import Sequence

import structlog

from services.scheduler.commands.find_causes import find_causes
from services.scheduler.core.ledger import StageTally
from services.scheduler.events import MAX_FAILURES, End, batch_completed, outline
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.contracts.event import Failure
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")


async def end_run(stored: StoredRun, tallies: Sequence[StageTally], uow: UnitOfWork) -> None:
    """Close a run: completed, with errors where anything failed or never came, failed where nothing came at all."""
    failures = sum(entry.failures for entry in tallies)
    status, why = RunStatus.COMPLETED_WITH_ERRORS if failures else RunStatus.COMPLETED, None
    if not any(entry.parts_done for entry in tallies):
        status, why = RunStatus.FAILED, "nothing came before its deadlines"
    await _end(stored, status, why, tallies, uow)


async def break_off(stored: StoredRun, why: str, uow: UnitOfWork) -> None:
    """Close an active run that was cancelled."""
    tallies = await SchedulerRepository(uow.connection).load_tallies(stored.run.run_id)
    await _end(stored, RunStatus.CANCELLED, why, tallies, uow)


async def _end(
    stored: StoredRun, status: RunStatus, why: str | None, tallies: Sequence[StageTally], uow: UnitOfWork
) -> None:
    repository, run_id = SchedulerRepository(uow.connection), stored.run.run_id
    end = End(status, await repository.finish_run(run_id, status, why=why), why)

    count = sum(entry.failures for entry in tallies)
    # Of a run that nothing failed in, neither is looked for.
    reported = await repository.list_failures(run_id, limit=MAX_FAILURES) if count else []
    causes = (await find_causes(run_id, uow.connection)).causes if count else []
    failures = [failure for _, failure in reported]
    if status is RunStatus.CANCELLED:
        failures.insert(0, Failure(subject=str(run_id), reason="CANCELLED", detail=why or ""))

    uow.emit(batch_completed(stored, end, tallies, failures, causes))
    log.info("run finished", **outline(stored.run), status=status.value, failures=count, seconds=round(end.seconds, 2))
