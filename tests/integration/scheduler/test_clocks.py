"""The clocks of processes, which jump: what is overdue is so by the clock of the database."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from services.scheduler.commands.close_overdue_stages import close_overdue_stages
from services.scheduler.core.deadlines import Deadlines
from services.scheduler.storage.repository import SchedulerRepository
from shared.clock import SystemClock
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run
from shared.service import Service
from tests.integration.scheduler.events import record
from tests.support.runs import make_run

DEADLINES = Deadlines(symbols=timedelta(hours=2), portfolios=timedelta(minutes=30))
AHEAD, BEHIND = timedelta(days=1), timedelta(days=-1)


@pytest.mark.parametrize("jumps", [(AHEAD, BEHIND), (BEHIND, AHEAD)])
async def test_clock_of_the_process_jumps_and_what_is_overdue_is_that_of_the_database(
    scheduler: Service, jumps: tuple[timedelta, ...]
) -> None:
    # Each is older than the shortest deadline: before that, none is looked at.
    in_time, late = [await _run_of_age(scheduler, timedelta(hours=hours)) for hours in (1, 3)]
    closed = []
    for jump in jumps:
        jumped = datetime.now(UTC) + jump
        with time_machine.travel(jumped):
            assert SystemClock().now() >= jumped
            async with scheduler.unit_of_work() as uow:
                await close_overdue_stages(uow, deadlines=DEADLINES)
        closed.append([await _is_closed(scheduler, run) for run in (in_time, late)])

    assert closed == [[False, True]] * len(jumps)


async def _run_of_age(scheduler: Service, age: timedelta) -> Run:
    run = make_run()
    await record(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))
    async with scheduler.unit_of_work() as uow:
        began = sa.text("UPDATE runs SET counts_from = clock_timestamp() - CAST(:age AS interval) WHERE run_id = :run")
        await uow.connection.execute(began, {"age": age, "run": run.run_id})
    return run


async def _is_closed(scheduler: Service, run: Run) -> bool:
    async with scheduler.unit_of_work() as uow:
        tallies = await SchedulerRepository(uow.connection).load_tallies(run.run_id)
    return any(tally.ended_at is not None for tally in tallies)
