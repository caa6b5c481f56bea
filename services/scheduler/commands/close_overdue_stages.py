"""Close the stages whose deadline has passed, naming the parts that never came; the run goes on without them."""

import structlog

from services.scheduler.commands.end_run import end_run
from services.scheduler.core.deadlines import Deadlines, overdue_stages
from services.scheduler.core.ledger import Arrived, StageTally, run_ended
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.event import Failure
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")


async def close_overdue_stages(uow: UnitOfWork, *, deadlines: Deadlines) -> None:
    """Close what is overdue of every active run, and end the runs of which nothing else is to come."""
    repository = SchedulerRepository(uow.connection)
    for stored in await repository.list_runs_older_than(deadlines.shortest):
        run_id = stored.run.run_id
        overdue = overdue_stages(
            await repository.load_tallies(run_id),
            deadlines,
            counts_from=stored.counts_from,
            now=await repository.load_now(),
        )
        arrived = await repository.load_arrived(run_id) if overdue else {}
        for entry in overdue:
            failure = _never_came(entry, arrived, deadlines)
            await repository.close_stage(run_id, entry, failure)
            log.warning("stage closed by its deadline", run=str(run_id), missing=failure.subject)
        if overdue:
            tallies = await repository.load_tallies(run_id)
            if run_ended(tallies):
                await end_run(stored, tallies, uow)


def _never_came(entry: StageTally, arrived: Arrived, deadlines: Deadlines) -> Failure:
    seconds = deadlines.of(entry.stage).total_seconds()
    return Failure(subject=entry.missing(arrived), reason="DEADLINE", detail=f"did not arrive within {seconds:g} s")
