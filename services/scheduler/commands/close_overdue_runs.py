"""Close the runs whose deadline has passed, naming what never came."""

import structlog

from services.scheduler.core.ledger import missing_parts
from services.scheduler.events import batch_completed, outline
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.event import Failure
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")


async def close_overdue_runs(uow: UnitOfWork) -> None:
    """Fail every active run that is past its deadline."""
    repository = SchedulerRepository(uow.connection)
    for stored in await repository.list_overdue_runs():
        tallies = await repository.load_tallies(stored.run.run_id)
        missing = missing_parts(tallies)
        overdue = [Failure(subject=line, reason="DEADLINE", detail="did not arrive") for line in missing]

        why = f"past its deadline, with {'; '.join(missing)}"
        seconds = await repository.finish_run(stored.run.run_id, RunStatus.FAILED, why=why)

        uow.emit(await batch_completed(stored, RunStatus.FAILED, tallies, repository, overdue=overdue))
        log.warning(
            "run finished",
            **outline(stored.run),
            status=RunStatus.FAILED.value,
            missing=list(missing),
            seconds=round(seconds, 2),
        )
