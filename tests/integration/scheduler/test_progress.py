"""Parts as they arrive: counted once, in any order, until the run has ended or its deadline has passed."""

import asyncio
import itertools
import random
from typing import Any

import pytest
import sqlalchemy as sa

from services.scheduler.commands.close_overdue_runs import close_overdue_runs
from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event, Failure
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Part, Run, RunKind
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.service import Service
from tests.support.bus_log import BusLog
from tests.support.runs import make_run

SETTINGS = SchedulerSettings()
TABLE: dict[str, Any] = {"as_ofs": (), "symbols": (), "columns": (), "values": ()}


def _event(stage: str, run: Run, *, index: int = 0, total: int = 1, failures: tuple[Failure, ...] = ()) -> Event:
    extra = TABLE if stage.startswith("symbols.") else {}
    return EVENTS[stage](run=run, part=Part(index=index, total=total), subjects=5, failures=failures, **extra)


def _whole_run(run: Run, *, parts: int = 2) -> list[Event]:
    return [_event(stage, run, index=index, total=parts) for stage in STAGES for index in range(parts)]


async def _record(scheduler: Service, event: Event, *, settings: SchedulerSettings = SETTINGS) -> None:
    async with scheduler.unit_of_work() as uow:
        await record_progress(event, uow, settings=settings)


async def _stored(scheduler: Service, run: Run) -> StoredRun:
    async with scheduler.unit_of_work.reading() as connection:
        stored = await SchedulerRepository(connection).find_run(run.run_id)
    assert stored is not None
    return stored


async def _announced(scheduler: Service, run: Run) -> list[BatchCompleted]:
    query = sa.text("SELECT value FROM outbox WHERE topic = 'batch.completed' AND run_id = :run_id ORDER BY id")
    async with scheduler.unit_of_work.reading() as connection:
        values = (await connection.execute(query, {"run_id": run.run_id})).scalars().all()
    return [BatchCompleted.model_validate_json(value) for value in values]


@pytest.mark.parametrize("seed", range(5))
async def test_run_is_completed_once_by_its_last_part_in_any_order_and_with_duplicates(
    scheduler: Service, seed: int
) -> None:
    run = make_run()
    events = _whole_run(run) * 2
    random.Random(seed).shuffle(events)  # noqa: S311 - an order, not a secret
    last_new = max(events.index(event) for event in _whole_run(run))

    for event in events[:last_new]:
        await _record(scheduler, event)
    assert (await _stored(scheduler, run)).status is RunStatus.ACTIVE
    for event in events[last_new:]:
        await _record(scheduler, event)

    assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED
    (completed,) = await _announced(scheduler, run)
    assert completed.run == run
    assert completed.status is RunStatus.COMPLETED
    assert [(stage.stage, stage.parts_done, stage.parts_total, stage.subjects) for stage in completed.stages] == [
        (stage, 2, 2, 10) for stage in STAGES
    ]


async def test_log_tells_of_a_run_when_it_opens_per_stage_and_at_its_end(scheduler: Service, bus_log: BusLog) -> None:
    run = make_run()
    failure = Failure(subject="XYZ", reason="MISSING_DATA", detail="no bars")
    for stage in reversed(list(STAGES)):
        await _record(scheduler, _event(stage, run, total=2))
        assert bus_log.count("stage finished", stage=stage) == 0
        await _record(scheduler, _event(stage, run, index=1, total=2, failures=(failure,)))

    facts = [
        tuple(line[name] for name in ("stage", "parts", "subjects", "failures"))
        for line in bus_log.of("stage finished")
    ]
    assert facts == [(stage, 2, 10, 1) for stage in reversed(list(STAGES))]
    seconds = {line["stage"]: line["seconds"] for line in bus_log.of("stage finished")}
    (opened,), (finished,) = bus_log.of("run opened", run), bus_log.of("run finished", run)
    assert opened["sessions"] == "2025-03-14 to 2025-03-14"
    assert (finished["status"], finished["failures"], finished["level"]) == ("completed_with_errors", 7, "info")
    assert finished["seconds"] >= seconds["prices.updated"] >= 0


async def test_run_whose_last_parts_arrive_at_once_is_completed_once(scheduler: Service) -> None:
    for _ in range(5):
        run = make_run()
        await asyncio.gather(*(_record(scheduler, event) for event in _whole_run(run)))
        assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED
        assert len(await _announced(scheduler, run)) == 1


async def test_run_that_a_service_began_becomes_known_by_its_first_event(scheduler: Service) -> None:
    runs = [make_run(kind=RunKind.ONBOARDING, symbols=("NEW",)) for _ in range(2)]
    for run in runs:
        await _record(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))

    # Two users may onboard the same symbol at once: each has a run of its own.
    for run in runs:
        assert (await _stored(scheduler, run)).run == run
        for event in _whole_run(run):
            await _record(scheduler, event)
        assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED


async def test_run_with_failures_is_completed_with_errors_that_name_them(scheduler: Service) -> None:
    run = make_run()
    failure = Failure(subject="XYZ", reason="MISSING_DATA", detail="no bars")
    for event in _whole_run(run, parts=1)[:-1]:
        await _record(scheduler, event)
    await _record(scheduler, _event("portfolios.assessed", run, failures=(failure,)))

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.COMPLETED_WITH_ERRORS
    assert completed.failures == (failure,)


async def test_part_that_arrives_after_the_end_changes_nothing_but_the_ledger(scheduler: Service) -> None:
    run = make_run()
    for event in _whole_run(run, parts=1):
        await _record(scheduler, event)
    ended = await _stored(scheduler, run)

    await _record(scheduler, _event("prices.updated", run, index=1, total=2))

    assert await _stored(scheduler, run) == ended
    assert len(await _announced(scheduler, run)) == 1


async def test_run_past_its_deadline_fails_and_names_what_never_came(scheduler: Service, bus_log: BusLog) -> None:
    overdue, patient = make_run(), make_run()
    for run, settings in ((overdue, SchedulerSettings(run_deadline_s=0.0)), (patient, SETTINGS)):
        for event in itertools.islice(_whole_run(run), 3):
            await _record(scheduler, event, settings=settings)

    for _ in range(2):
        async with scheduler.unit_of_work() as uow:
            await close_overdue_runs(uow)

    (completed,) = await _announced(scheduler, overdue)
    assert completed.status is RunStatus.FAILED
    assert [(failure.subject, failure.reason) for failure in completed.failures] == [
        ("prices.updated: 1 of 2 parts", "DEADLINE"),
        *((f"{stage}: 0 of unknown parts", "DEADLINE") for stage in list(STAGES)[2:]),
    ]
    (told,) = bus_log.of("run finished", overdue)
    assert (told["status"], told["level"]) == ("failed", "warning")
    assert told["missing"] == [failure.subject for failure in completed.failures]
    assert (await _stored(scheduler, overdue)).status is RunStatus.FAILED
    assert (await _stored(scheduler, patient)).status is RunStatus.ACTIVE
