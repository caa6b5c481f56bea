"""The scheduler's composition root."""

from collections.abc import Sequence
from uuid import UUID

from services.scheduler import subscribers
from services.scheduler.commands.advance_backfills import advance_backfills
from services.scheduler.commands.close_overdue_runs import close_overdue_runs
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.web import routes
from services.scheduler.web.problems import PROBLEMS
from shared.clock import Clock, SystemClock
from shared.db.unit_of_work import one_transaction
from shared.service import Service, build_service
from shared.settings import CommonSettings, service_database_url


def build(common: CommonSettings, settings: SchedulerSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return the scheduler, ready to run."""
    own = settings or SchedulerSettings()
    service = build_service("scheduler", common)
    subscribers.register(service.consume, own)
    service.router = routes.build_router(service.unit_of_work, clock or SystemClock(), own)
    service.problems = PROBLEMS

    async def sweep() -> None:
        async with service.unit_of_work() as uow:
            await close_overdue_runs(uow)
        async with service.unit_of_work() as uow:
            await advance_backfills(uow, settings=own)

    async def extend_deadlines() -> None:
        async with service.unit_of_work() as uow:
            await SchedulerRepository(uow.connection).extend_deadlines(own.run_deadline_s)

    service.warm_up.append(extend_deadlines)
    service.background.append(sweep)
    return service


async def done_runs(common: CommonSettings) -> Sequence[UUID]:
    """Return the runs whose every event has been consumed everywhere, as the ledger has them.

    Those are the ones that ended with every part in. A run that failed is not among them: a replica may lack its bars,
    which are not announced again. Nor is one that the ledger does not know yet.
    """
    async with one_transaction(service_database_url(common, "scheduler"), service="scheduler") as connection:
        return await SchedulerRepository(connection).list_done_runs()
