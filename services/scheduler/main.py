"""The scheduler's composition root."""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, timedelta
from functools import partial
from uuid import UUID

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import APIRouter

from services.scheduler import subscribers
from services.scheduler.commands.advance_backfills import advance_backfills
from services.scheduler.commands.advance_redrives import advance_redrives
from services.scheduler.commands.ask_for_stage import Firing
from services.scheduler.commands.close_overdue_stages import close_overdue_stages
from services.scheduler.commands.deliver_webhooks import deliver_webhooks
from services.scheduler.commands.fire_due import fire_due
from services.scheduler.commands.follow_run import RunFeeds
from services.scheduler.commands.go_on_with_portfolios import go_on_waiting
from services.scheduler.commands.replay_run import replay_run
from services.scheduler.core.deadlines import Deadlines
from services.scheduler.core.schedule import Trigger
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.gauges import read_ledger, read_schedule
from services.scheduler.storage.readiness_inputs import Shelves
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.web import (
    activity,
    admin_batch,
    backfills,
    batch_history,
    coverage,
    data_quality,
    letters,
    onboarding,
    readiness,
    routes,
    schedule,
)
from services.scheduler.web.problems import PROBLEMS
from shared.clock import Clock, SessionClock, SystemClock
from shared.contracts.run import Run
from shared.db.unit_of_work import UnitOfWork, one_transaction
from shared.metrics.run_ends import RunEnds
from shared.service import Service, build_service
from shared.settings import CommonSettings, service_database_url
from shared.tracing import RunSpans

Job = Callable[[], Awaitable[object]]
Step = Callable[[UnitOfWork], Awaitable[object]]


def build(common: CommonSettings, settings: SchedulerSettings | None = None, *, clock: Clock | None = None) -> Service:
    """Return the scheduler, ready to run."""
    own, time = settings or SchedulerSettings(), SessionClock(clock or SystemClock(), common.settle_delay)
    service = build_service("scheduler", common)
    deadlines = Deadlines(
        symbols=timedelta(seconds=common.symbol_batch_timeout_seconds),
        portfolios=timedelta(seconds=common.portfolio_refresh_timeout_seconds),
    )
    process = f"{platform.node()} {os.getpid()}"

    def firing() -> Firing:
        return Firing(time.now(), common.settle_delay, process, own)

    async def extend_deadlines() -> None:
        async with service.unit_of_work() as uow:
            await SchedulerRepository(uow.connection).extend_deadlines()

    async def fire(trigger: Trigger) -> None:
        async with service.unit_of_work() as uow:
            await fire_due(trigger, uow, firing())

    async def sweep(step: Step) -> None:
        async with service.unit_of_work() as uow:
            await step(uow)

    subscribers.register(service.consume, own)
    feeds, shelves = RunFeeds(service.unit_of_work, time), Shelves()
    routers = (
        routes.build_router(service.unit_of_work, time, own),
        letters.build_router(service.unit_of_work),
        activity.build_router(service.unit_of_work, feeds),
        coverage.build_router(service.unit_of_work, time, shelves),
        readiness.build_router(service.unit_of_work, time, shelves),
        schedule.build_router(service.unit_of_work, firing),
        backfills.build_router(service.unit_of_work, time, own),
        admin_batch.build_router(service.unit_of_work, time, own),
        batch_history.build_router(service.unit_of_work, time),
        data_quality.build_router(service.unit_of_work, time, own, shelves),
        onboarding.build_router(service.unit_of_work, time),
    )
    service.router = APIRouter(routes=[route for router in routers for route in router.routes])
    service.problems = PROBLEMS
    service.gauges += [partial(read_ledger, clock=time), partial(read_schedule, settings=own, clock=time)]
    service.unit_of_work.listeners += [RunEnds(service.metrics), RunSpans(service.tracing.tracer)]
    service.warm_up.append(extend_deadlines)
    # Each a sweep of its own: one that fails does not keep the others from what is theirs.
    fires = [(trigger, partial(fire, trigger)) for trigger in own.triggers()]
    steps = (partial(close_overdue_stages, deadlines=deadlines), go_on_waiting, advance_backfills, advance_redrives)
    service.background += [*(partial(sweep, step) for step in steps), *(job for _, job in fires)]
    service.background.append(partial(_wake_at_their_times, fires))
    service.answering.append(feeds.keep_up)
    service.closing.append(feeds.close)
    if own.webhook is not None:
        service.background.append(partial(deliver_webhooks, service.unit_of_work, own.webhook, time))
    return service


async def _wake_at_their_times(fires: Sequence[tuple[Trigger, Job]]) -> None:
    # To the second, where the sweep would be late; what a wake-up misses or fails at, the sweep finds.
    waking = AsyncIOScheduler(timezone=UTC)
    for trigger, job in fires:
        waking.add_job(job, trigger.cron, coalesce=True, max_instances=1, misfire_grace_time=None)
    waking.start()
    try:
        await asyncio.Event().wait()
    finally:
        waking.shutdown(wait=False)


async def done_runs(common: CommonSettings) -> Sequence[UUID]:
    """Return the runs whose every event has been consumed everywhere, as the ledger has them.

    Those are the ones that ended with every part in. A run that failed is not among them: a replica may lack its bars,
    which are not announced again. Nor is one that the ledger does not know yet.
    """
    async with one_transaction(service_database_url(common, "scheduler"), service="scheduler") as connection:
        return await SchedulerRepository(connection).list_done_runs()


async def replay(common: CommonSettings, run: Run) -> bool:
    """Ask for a run once, when nothing live is under way; tell whether it has ended."""
    async with one_transaction(service_database_url(common, "scheduler"), service="scheduler") as connection:
        uow = UnitOfWork(connection, source="scheduler")
        has_ended = await replay_run(run, uow)
        await uow.flush()
        return has_ended
