"""Parts as they arrive: counted once, in any order, until the run has ended or its deadline has passed."""

import asyncio
import random
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from services.scheduler.commands.cancel_run import cancel_run
from services.scheduler.commands.close_overdue_stages import close_overdue_stages
from services.scheduler.commands.errors import RunEnded
from services.scheduler.commands.open_run import open_or_join
from services.scheduler.core.cells import Fact
from services.scheduler.core.deadlines import PORTFOLIO_STAGES, Deadlines
from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.main import build
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.clock import FixedClock
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event, Failure
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Part, Run, RunKind
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.service import Service
from tests.integration.scheduler.conftest import NOW
from tests.integration.scheduler.events import new_symbol, opened, prices, record, stage_event
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.interleaving import WAITING
from tests.support.runs import SESSION, make_run

PARTS_READ = sa.text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = CAST('run_parts' AS regclass)"
)
SAID = ("run_parts", "run_stages", "cell_parts")
AGE = sa.text("UPDATE run_stages SET last_at = last_at - interval '31 days' WHERE run_id = :run_id")
TABLE: dict[str, Any] = {"as_ofs": (), "symbols": (), "columns": (), "values": ()}


def _event(stage: str, run: Run, *, index: int = 0, total: int = 1, failures: tuple[Failure, ...] = ()) -> Event:
    extra = TABLE if stage.startswith("symbols.") else {}
    return EVENTS[stage](run=run, part=Part(index=index, total=total), subjects=5, failures=failures, **extra)


def _whole_run(run: Run, *, parts: int = 2) -> list[Event]:
    return [_event(stage, run, index=index, total=parts) for stage in STAGES for index in range(parts)]


async def _record(scheduler: Service, event: Event) -> None:
    await record(scheduler, event)


async def _fold(scheduler: Service, event: Event) -> None:
    """Record an event as it comes, of whichever run."""
    async with scheduler.unit_of_work() as uow:
        await record_progress(event, uow)


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
    await _record(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))
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


async def test_run_that_a_service_began_becomes_known_by_the_event_that_opens_it(scheduler: Service) -> None:
    runs = [make_run(kind=RunKind.ONBOARDING, symbols=("NEW",)) for _ in range(2)]
    for run in runs:
        await _record(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))

    # Two users may onboard the same symbol at once: each has a run of its own.
    for run in runs:
        assert (await _stored(scheduler, run)).run == run
        for event in _whole_run(run):
            await _record(scheduler, event)
        assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED


@pytest.mark.parametrize("stage", STAGES)
async def test_stage_of_a_run_that_nobody_opened_makes_none_known_and_no_cell(scheduler: Service, stage: str) -> None:
    run = make_run(symbols=("FORGED",))

    await _fold(scheduler, prices(run, "FORGED") if stage == "prices.updated" else _event(stage, run))

    async with scheduler.unit_of_work.reading() as connection:
        said = await CellRepository(connection).load_parts_of(["FORGED"], SESSION, SESSION, list(Fact))
        assert await SchedulerRepository(connection).find_run(run.run_id) is None
    assert said == []


@pytest.mark.parametrize("seed", range(5))
async def test_parts_that_come_before_the_opening_of_their_run_are_kept_and_counted_with_it(
    scheduler: Service, seed: int
) -> None:
    symbol = new_symbol()
    named = make_run(kind=RunKind.ONBOARDING, symbols=(symbol,))
    said = named.leaving_unsaid("symbols", "portfolio_ids")
    bars = prices(said, symbol, part=Part(index=0, total=2))
    events = [SymbolsOnboarding(run=named, part=ONLY_PART), bars, *_whole_run(said)]
    events.remove(_event("prices.updated", said, total=2))
    random.Random(seed).shuffle(events)  # noqa: S311 - an order, not a secret

    for event in events:
        await _fold(scheduler, event)

    stored = await _stored(scheduler, named)
    assert (stored.run, stored.status) == (named, RunStatus.COMPLETED)
    async with scheduler.unit_of_work.reading() as connection:
        cells = await CellRepository(connection).load_parts_of([symbol], SESSION, SESSION, [Fact.BARS])
    assert [cell.asked_at for cell in cells] == [stored.requested_at]


async def test_run_whose_opening_comes_while_its_last_part_is_stored_is_completed_once(scheduler: Service) -> None:
    run = make_run(kind=RunKind.ONBOARDING)
    *early, last = _whole_run(run)
    for event in early:
        await _fold(scheduler, event)

    async with scheduler.unit_of_work() as uow:
        await record_progress(last, uow)
        opening = asyncio.ensure_future(_fold(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART)))
        await eventually(partial(_has_ended_or_waits, opening, scheduler))
    await opening

    assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED
    assert len(await _announced(scheduler, run)) == 1


async def _has_ended_or_waits(task: "asyncio.Future[None]", scheduler: Service) -> bool:
    async with scheduler.unit_of_work.reading() as connection:
        return task.done() or bool(await connection.scalar(WAITING))


async def test_part_is_counted_without_a_look_at_the_others(scheduler: Service) -> None:
    run, read = make_run(), []
    await _fold(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))
    for index in range(10):
        async with scheduler.unit_of_work() as uow:
            await record_progress(_event("symbols.measured", run, index=index, total=11), uow)
            read.append(await uow.connection.scalar(PARTS_READ))
    assert read == [0] * 10


async def test_what_was_said_of_a_run_that_nothing_opens_is_forgotten_after_a_month(scheduler: Service) -> None:
    symbol = new_symbol()
    opened_run, forged, fresh = (make_run(kind=RunKind.ONBOARDING) for _ in range(3))
    for run in (opened_run, forged, fresh):
        await _fold(scheduler, prices(run, symbol))
    await _fold(scheduler, SymbolsOnboarding(run=opened_run, part=ONLY_PART))
    async with scheduler.unit_of_work() as uow:
        for run in (opened_run, forged):
            await uow.connection.execute(AGE, {"run_id": run.run_id})

    async with scheduler.unit_of_work() as uow:
        await open_or_join(make_run(symbols=(symbol,)), uow)

    async with scheduler.unit_of_work.reading() as connection:
        kept = {
            (run.run_id, table)
            for run in (opened_run, forged, fresh)
            for table in SAID
            if await connection.scalar(
                sa.text(f"SELECT EXISTS (SELECT FROM {table} WHERE run_id = :run_id)"), {"run_id": run.run_id}
            )
        }
    assert kept == {
        (run.run_id, table) for run in (opened_run, fresh) for table in ("run_parts", "run_stages", "cell_parts")
    }


async def test_run_with_failures_is_completed_with_errors_that_name_them(scheduler: Service) -> None:
    run = make_run()
    failure = Failure(subject="XYZ", reason="MISSING_DATA", detail="no bars")
    for event in _whole_run(run, parts=1)[:-1]:
        await _record(scheduler, event)
    await _record(scheduler, _event("portfolios.assessed", run, failures=(failure,)))

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.COMPLETED_WITH_ERRORS
    assert completed.failures == (failure,)


async def test_announcement_of_an_end_carries_what_listeners_need(scheduler: Service) -> None:
    run = make_run(first_session=date(2025, 3, 7))
    await _record(scheduler, opened(run, uuid4(), "holder", "S0", on=date(2025, 3, 7)))
    missing = ("MISSING_DATA",) * 7
    for stage in STAGES:
        failed = missing if stage in {"prices.updated", "symbols.factored"} else ()
        await _record(scheduler, stage_event(stage, run, failed=failed))

    (completed,) = await _announced(scheduler, run)
    stored = await _stored(scheduler, run)
    assert stored.finished_at is not None
    assert (completed.sessions, completed.requested_at, completed.why) == (6, stored.requested_at, None)
    assert completed.seconds == pytest.approx((stored.finished_at - stored.requested_at).total_seconds(), abs=1e-6)
    (cause,) = completed.causes
    assert (cause.stage, cause.reason, cause.then) == ("prices.updated", "MISSING_DATA", ("symbols.factored",))
    assert (cause.subjects, cause.examples, cause.portfolios) == (7, ("S0", "S1", "S2", "S3", "S4"), 1)


async def test_announcement_of_a_cancelled_run_says_who_cancelled_it(scheduler: Service) -> None:
    run = make_run()
    await _record(scheduler, _event("prices.updated", run))
    async with scheduler.unit_of_work() as uow:
        await cancel_run(run.run_id, uow, requested_by="me")

    (completed,) = await _announced(scheduler, run)

    assert (completed.status, completed.why) == (RunStatus.FAILED, "cancelled by me")
    assert completed.failures == (Failure(subject=str(run.run_id), reason="CANCELLED", detail="cancelled by me"),)


async def test_part_that_arrives_after_the_end_changes_nothing_but_the_ledger(scheduler: Service) -> None:
    run = make_run()
    for event in _whole_run(run, parts=1):
        await _record(scheduler, event)
    ended = await _stored(scheduler, run)

    await _record(scheduler, _event("prices.updated", run, index=1, total=2))

    assert await _stored(scheduler, run) == ended
    assert len(await _announced(scheduler, run)) == 1


async def _close_overdue(scheduler: Service, **limits: float) -> None:
    deadlines = Deadlines(
        symbols=timedelta(seconds=limits.get("symbols_s", 1500.0)),
        portfolios=timedelta(seconds=limits.get("portfolios_s", 900.0)),
    )
    async with scheduler.unit_of_work() as uow:
        await close_overdue_stages(uow, deadlines=deadlines)


def _came(run: Run, missing: set[tuple[str, int]], *, parts: int = 12) -> list[Event]:
    return [event for event in _whole_run(run, parts=parts) if (event.topic, event.part.index) not in missing]


async def test_stage_past_its_deadline_is_closed_with_its_missing_parts_and_the_run_goes_on(
    scheduler: Service, bus_log: BusLog
) -> None:
    run = make_run()
    came = _came(run, {("prices.updated", index) for index in (3, 4, 5, 6, 7, 9)})
    for event in came:
        if event.topic not in PORTFOLIO_STAGES:
            await _record(scheduler, event)

    await _close_overdue(scheduler)
    assert bus_log.of("stage closed by its deadline", run) == []
    for _ in range(2):
        await _close_overdue(scheduler, symbols_s=0.0)
    assert (await _stored(scheduler, run)).status is RunStatus.ACTIVE, "the portfolios go on with what is there"
    for event in came:
        if event.topic in PORTFOLIO_STAGES:
            await _record(scheduler, event)

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.COMPLETED_WITH_ERRORS
    assert [(failure.subject, failure.reason, failure.detail) for failure in completed.failures] == [
        ("prices.updated: parts 3-7, 9 of 12", "DEADLINE", "did not arrive within 0 s")
    ]
    counts = {stage.stage: (stage.parts_done, stage.parts_total, stage.failures) for stage in completed.stages}
    assert counts == dict.fromkeys(STAGES, (12, 12, 0)) | {"prices.updated": (6, 12, 1)}
    (told,) = bus_log.of("stage closed by its deadline", run)
    assert (told["missing"], told["level"]) == ("prices.updated: parts 3-7, 9 of 12", "warning")


async def test_portfolio_stage_past_its_deadline_ends_the_run_with_what_is_there(scheduler: Service) -> None:
    run = make_run()
    for event in _came(run, {("portfolios.valued", 1), ("portfolios.assessed", 1)}, parts=2):
        await _record(scheduler, event)

    await _close_overdue(scheduler, symbols_s=0.0)
    assert (await _stored(scheduler, run)).status is RunStatus.ACTIVE
    await _close_overdue(scheduler, portfolios_s=0.0)

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.COMPLETED_WITH_ERRORS
    assert [failure.subject for failure in completed.failures] == [
        "portfolios.assessed: part 1 of 2",
        "portfolios.valued: part 1 of 2",
    ]
    assert await _done_runs(scheduler, run) == [], "a replica may lack what never came"


async def test_run_of_which_nothing_came_fails(scheduler: Service) -> None:
    run = make_run()
    await _record(scheduler, SymbolsOnboarding(run=run, part=ONLY_PART))

    for _ in range(2):  # the portfolios' time counts from the end of the symbols
        await _close_overdue(scheduler, symbols_s=0.0, portfolios_s=0.0)

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.FAILED
    assert {failure.subject for failure in completed.failures} == {f"{stage}: every part" for stage in STAGES}


async def test_part_that_comes_after_its_stage_was_closed_is_recorded_and_reopens_nothing(scheduler: Service) -> None:
    run = make_run()
    events = _whole_run(run)
    late = next(event for event in events if event.topic == "prices.updated")
    for event in events:
        if event is not late and event.topic not in PORTFOLIO_STAGES:
            await _record(scheduler, event)
    await _close_overdue(scheduler, symbols_s=0.0)

    await _record(scheduler, late)
    for event in events:
        await _record(scheduler, event)

    (completed,) = await _announced(scheduler, run)
    assert completed.status is RunStatus.COMPLETED_WITH_ERRORS
    assert [failure.subject for failure in completed.failures] == ["prices.updated: part 0 of 2"]
    assert {stage.parts_done for stage in completed.stages} == {2}


async def test_deadlines_count_anew_when_the_scheduler_starts(scheduler: Service) -> None:
    run = make_run()
    await _record(scheduler, _whole_run(run)[0])
    async with scheduler.unit_of_work() as uow:
        long_ago = sa.text("UPDATE runs SET counts_from = counts_from - interval '1 day' WHERE run_id = :run_id")
        await uow.connection.execute(long_ago, {"run_id": run.run_id})
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).extend_deadlines()

    await _close_overdue(scheduler)

    assert await _failures(scheduler, run) == []


async def test_deadlines_are_those_of_the_settings(database: ServiceDatabase, bus_log: BusLog) -> None:
    """The sweep of the service itself, as its settings make it."""
    patient, hurried = make_run(), make_run()
    for run, limits in ((patient, {}), (hurried, {"symbol_batch_timeout_seconds": 1e-6})):
        service = build(database.common.model_copy(update=limits), clock=FixedClock(NOW))
        for event in _whole_run(run)[:3]:
            await _record(service, event)
        close_overdue, *_ = service.background
        await close_overdue()
        assert len(bus_log.of("stage closed by its deadline", run)) == (4 if limits else 0)
        await service.engine.dispose()

    portfolios_last = make_run()
    service = build(
        database.common.model_copy(update={"portfolio_refresh_timeout_seconds": 1e-6}), clock=FixedClock(NOW)
    )
    for event in _whole_run(portfolios_last)[:-1]:
        await _record(service, event)
    close_overdue, *_ = service.background
    await close_overdue()
    assert [failure.subject for failure in await _failures(service, portfolios_last)] == [
        "portfolios.assessed: part 1 of 2"
    ]
    await service.engine.dispose()


async def _failures(scheduler: Service, run: Run) -> list[Failure]:
    async with scheduler.unit_of_work.reading() as connection:
        return [failure for _, failure in await SchedulerRepository(connection).list_failures(run.run_id, limit=100)]


async def _done_runs(scheduler: Service, run: Run) -> list[UUID]:
    async with scheduler.unit_of_work.reading() as connection:
        done = await SchedulerRepository(connection).list_done_runs()
    return [run_id for run_id in done if run_id == run.run_id]


@pytest.mark.parametrize("kind", RunKind)
async def test_run_that_is_cancelled_is_over_and_stays_so_when_the_rest_of_it_comes(
    scheduler: Service, kind: RunKind
) -> None:
    run = make_run(kind=kind)
    first, *rest = _whole_run(run)
    await _record(scheduler, first)

    async with scheduler.unit_of_work() as uow:
        await cancel_run(run.run_id, uow, requested_by="me")
    for event in rest:
        await _record(scheduler, event)

    assert (await _stored(scheduler, run)).status is RunStatus.CANCELLED
    (announced,) = await _announced(scheduler, run)
    assert (announced.status, announced.cancelled) == (RunStatus.FAILED, True)
    assert announced.failures == (Failure(subject=str(run.run_id), reason="CANCELLED", detail="cancelled by me"),)
    with pytest.raises(RunEnded, match="cancelled"):
        async with scheduler.unit_of_work() as uow:
            await cancel_run(run.run_id, uow, requested_by="me")


@pytest.mark.parametrize("total", [9, 2], ids=str)
async def test_stage_whose_parts_say_different_totals_is_an_error_and_the_run_waits_for_no_more(
    scheduler: Service, total: int
) -> None:
    run = make_run()

    await _record(scheduler, _event("prices.updated", run, index=1, total=total))
    for event in _whole_run(run, parts=1):
        await _record(scheduler, event)

    assert (await _stored(scheduler, run)).status is RunStatus.COMPLETED_WITH_ERRORS
    (completed,) = await _announced(scheduler, run)
    (cause,) = completed.causes
    assert (cause.reason, cause.examples) == ("ContradictingTotal", (f"prices.updated: parts of 1 and of {total}",))
