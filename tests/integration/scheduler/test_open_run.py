"""Which sessions a run covers, and which requests share one."""

import asyncio
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.scheduler.commands.open_run import RunRequest, open_run
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.service import Service
from tests.support.bus_log import BusLog

TODAY = date(2025, 3, 14)


@pytest.fixture(autouse=True)
async def _no_runs(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        for table in ("runs", "run_parts", "outbox"):
            await uow.connection.execute(sa.text(f"TRUNCATE {table}"))


def _request(kind: RunKind = RunKind.NIGHTLY, **fields: Any) -> RunRequest:
    nothing = dict.fromkeys(("first_session", "last_session", "symbols", "portfolio_ids"))
    return RunRequest(**{"kind": kind, "requested_by": "test", **nothing, **fields})


async def _open(scheduler: Service, request: RunRequest) -> tuple[Run, bool]:
    async with scheduler.unit_of_work() as uow:
        return await open_run(request, uow, newest=TODAY, settings=SchedulerSettings(catch_up_sessions=5))


async def _finish(scheduler: Service, run: Run, status: RunStatus) -> None:
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(run.run_id, status)


async def _triggered(scheduler: Service) -> int:
    async with scheduler.unit_of_work.reading() as connection:
        found = await connection.scalar(sa.text("SELECT count(*) FROM outbox WHERE topic = 'batch.triggered'"))
    return int(found or 0)


async def test_nightly_run_by_default_covers_the_target_session(scheduler: Service) -> None:
    run, is_new = await _open(scheduler, _request())
    assert (run.first_session, run.last_session, is_new) == (TODAY, TODAY, True)
    assert await _triggered(scheduler) == 1


async def test_request_for_the_same_work_joins_the_active_run(scheduler: Service) -> None:
    first, _ = await _open(scheduler, _request(RunKind.ON_DEMAND))

    joined, is_new = await _open(scheduler, _request(RunKind.ON_DEMAND, requested_by="somebody else"))
    assert (joined, is_new) == (first, False)
    assert await _triggered(scheduler) == 1

    for other in (
        _request(RunKind.NIGHTLY),
        _request(RunKind.ON_DEMAND, last_session=date(2025, 3, 13)),
        _request(RunKind.ON_DEMAND, symbols=("AAPL",)),
        _request(RunKind.ON_DEMAND, portfolio_ids=(uuid4(),)),
    ):
        assert (await _open(scheduler, other))[1]

    await _finish(scheduler, first, RunStatus.COMPLETED)
    again, is_new = await _open(scheduler, _request(RunKind.ON_DEMAND))
    assert is_new
    assert again.run_id != first.run_id


async def test_twenty_requests_at_once_make_one_active_run(scheduler: Service, bus_log: BusLog) -> None:
    outcomes = await asyncio.gather(*(_open(scheduler, _request(RunKind.ON_DEMAND)) for _ in range(20)))

    assert len({run.run_id for run, _ in outcomes}) == 1
    assert sum(is_new for _, is_new in outcomes) == 1
    assert await _triggered(scheduler) == 1
    assert [line["run"] for line in bus_log.of("run opened")] == [str(outcomes[0][0].run_id)]


async def test_request_for_thousands_of_symbols_and_portfolios_opens_and_joins(scheduler: Service) -> None:
    many = _request(
        RunKind.ON_DEMAND,
        symbols=tuple(f"S{index * 7919 % 100_003}" for index in range(5_000)),
        portfolio_ids=tuple(uuid4() for _ in range(2_000)),
    )
    run, is_new = await _open(scheduler, many)
    assert is_new
    assert await _open(scheduler, many) == (run, False)
