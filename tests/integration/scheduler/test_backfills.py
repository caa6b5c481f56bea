"""Backfills on a real database: one step at a time, nothing beside a live run, nothing twice, nothing left behind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from services.scheduler.commands.change_backfill import (
    cancel_backfill,
    pause_backfill,
    resume_backfill,
    retry_failed_cells,
)
from services.scheduler.commands.errors import BackfillEnded, NotPaused, UnknownSubjects, UnusableSession
from services.scheduler.commands.open_run import RunRequest, open_or_join, open_run
from services.scheduler.commands.plan_backfill import check_selection, plan_backfill
from services.scheduler.commands.repair_gaps import REPAIR
from services.scheduler.commands.start_backfill import BackfillRequest, start_backfill
from services.scheduler.core.backfill_plan import Reprocess, Scope, Selection
from services.scheduler.core.backfill_progress import BackfillStatus, StepOutcome, StepStatus
from services.scheduler.core.books import Book, Holding
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, CellPart, Fact, Why
from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.go_on_with_backfills import go_on_with_backfills
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository, StoredBackfill, StoredStep
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.repository import RunFilter, SchedulerRepository, scope_of
from shared.calendar import sessions_between
from shared.contracts.catalogue import EVENTS
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.db.keyed_requests import IdempotencyKeyReused
from shared.db.unit_of_work import UnitOfWork
from shared.service import Service
from tests.support.runs import make_run

# A step takes one session of one symbol, or of one portfolio.
SETTINGS = SchedulerSettings(backfill_step_s=0.0001)
FIRST, LAST = date(2025, 3, 13), date(2025, 3, 14)
BOOK = uuid4()
EVERYTHING = Selection(FIRST, LAST)
LACK = Why("MISSING_DATA", "no bar")
TABLE = {"as_ofs": (), "symbols": (), "columns": (), "values": ()}


@pytest.fixture(autouse=True)
async def _empty_ledgers(scheduler: Service) -> AsyncIterator[None]:
    """One book of one symbol, of which nothing has been computed."""
    yield
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE backfill_steps, backfills, cell_parts, books, runs, run_parts"))


@pytest.fixture(autouse=True)
async def _book(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        books = BookRepository(uow.connection)
        await books.store_books([Book(str(BOOK), "book", FIRST, (Holding("AAA", FIRST, None),))])


async def _start(scheduler: Service, selection: Selection = EVERYTHING, *, key: str | None = None) -> UUID:
    async with scheduler.unit_of_work() as uow:
        backfill_id, _ = await start_backfill(BackfillRequest(selection, "test", key), uow, settings=SETTINGS)
    return backfill_id


async def _stored(scheduler: Service, backfill_id: UUID) -> tuple[StoredBackfill, list[StoredStep]]:
    async with scheduler.unit_of_work.reading() as connection:
        repository = BackfillRepository(connection)
        stored = await repository.find_backfill(backfill_id)
        assert stored is not None
        return stored, await repository.list_steps(backfill_id)


async def _states(scheduler: Service, backfill_id: UUID) -> list[StepStatus]:
    return [step.status for step in (await _stored(scheduler, backfill_id))[1]]


async def _active_runs(scheduler: Service) -> list[Run]:
    async with scheduler.unit_of_work.reading() as connection:
        listed = await SchedulerRepository(connection).list_runs(RunFilter(), limit=100)
    return [stored.run for stored in listed if stored.status is RunStatus.ACTIVE]


async def _compute(scheduler: Service, run: Run, *, failing: bool = False) -> None:
    """Let every stage of a run report, its cells done or failed, and the backfill hear of its end."""
    await _report(scheduler, run, failing=failing)
    await _hear_of_the_end(scheduler, run)


async def _report(scheduler: Service, run: Run, *, failing: bool = False) -> None:
    sessions = sessions_between(run.first_session, run.last_session)
    subjects = dict.fromkeys(SYMBOL_FACTS, run.symbols or ())
    subjects |= {fact: tuple(map(str, run.portfolio_ids or ())) for fact in PORTFOLIO_FACTS}
    async with scheduler.unit_of_work() as uow:
        prices = EVENTS["prices.updated"](run=run, part=ONLY_PART)
        parts = [_part(session, fact, subjects[fact], failing=failing) for session in sessions for fact in Fact]
        said = [part for part in parts if part.done or part.failed]
        await CellRepository(uow.connection).append_parts(prices, said, asked_at=await _asked_at(run, uow))
    for stage in STAGES:
        extra = TABLE if stage.startswith("symbols.") else {}
        async with scheduler.unit_of_work() as uow:
            await record_progress(EVENTS[stage](run=run, part=ONLY_PART, **extra), uow)


async def _asked_at(run: Run, uow: UnitOfWork) -> datetime:
    standing = await SchedulerRepository(uow.connection).find_standing(run.run_id)
    assert standing is not None
    return standing.requested_at


def _part(session: date, fact: Fact, subjects: tuple[str, ...], *, failing: bool) -> CellPart:
    return CellPart(session, fact, () if failing else subjects, dict.fromkeys(subjects, LACK) if failing else {})


async def _hear_of_the_end(scheduler: Service, run: Run) -> None:
    async with scheduler.unit_of_work() as uow:
        ended = BatchCompleted(run=run, part=ONLY_PART, status=RunStatus.COMPLETED, stages=())
        await go_on_with_backfills(ended, uow)


async def _compute_all(scheduler: Service, *, failing: bool = False) -> list[Run]:
    runs = []
    while active := await _active_runs(scheduler):
        (run,) = active
        await _compute(scheduler, run, failing=failing)
        runs.append(run)
    return runs


async def test_backfill_computes_the_missing_cells_one_step_at_a_time_oldest_first(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    assert len(await _active_runs(scheduler)) == 1

    runs = await _compute_all(scheduler)

    assert [(run.kind, run.first_session, run.last_session, run.symbols, run.portfolio_ids) for run in runs] == [
        (RunKind.BACKFILL, FIRST, FIRST, ("AAA",), ()),
        (RunKind.BACKFILL, LAST, LAST, ("AAA",), ()),
        (RunKind.BACKFILL, FIRST, FIRST, (), (BOOK,)),
        (RunKind.BACKFILL, LAST, LAST, (), (BOOK,)),
    ]
    stored, steps = await _stored(scheduler, backfill_id)
    assert stored.status is BackfillStatus.COMPLETED
    assert [(step.status, step.outcome.done, step.outcome.failed) for step in steps] == [
        (StepStatus.DONE, 3, 0),
        (StepStatus.DONE, 3, 0),
        (StepStatus.DONE, 2, 0),
        (StepStatus.DONE, 2, 0),
    ]


async def test_counts_are_of_the_cells_that_were_wanted_of_the_step(scheduler: Service) -> None:
    earlier = make_run(symbols=("AAA",), portfolio_ids=(), first_session=FIRST, last_session=FIRST)
    bars = [CellPart(FIRST, Fact.BARS, ("AAA",), {})]
    async with scheduler.unit_of_work() as uow:
        event = EVENTS["prices.updated"](run=earlier, part=ONLY_PART)
        await CellRepository(uow.connection).append_parts(event, bars, asked_at=datetime(2025, 3, 13, tzinfo=UTC))
    backfill_id = await _start(scheduler)
    (run,) = await _active_runs(scheduler)
    await _compute(scheduler, run)

    _, (step, *_) = await _stored(scheduler, backfill_id)
    assert (step.step.cells, step.outcome) == (2, StepOutcome(done=2))


@pytest.mark.parametrize(
    ("first", "last", "field", "said"),
    [
        (LAST, FIRST, "first", "must not be after 2025-03-13, the end of the range, was 2025-03-14"),
        (date(2025, 3, 15), date(2025, 3, 16), "last", "there is none since 2025-03-15, was 2025-03-16"),
        (FIRST, date(2025, 3, 18), "last", "must not be after the last closed session 2025-03-17, was 2025-03-18"),
    ],
)
def test_range_that_is_reversed_or_empty_is_no_selection(first: date, last: date, field: str, said: str) -> None:
    with pytest.raises(UnusableSession, match=said) as refused:
        check_selection(first, last, Scope(), Reprocess.ALL, newest=NIGHT)

    assert refused.value.field == field


async def test_step_is_begun_only_when_no_live_run_is_under_way(scheduler: Service) -> None:
    night = make_run(kind=RunKind.NIGHTLY)
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).store_run(night, scope=scope_of(night))

    backfill_id = await _start(scheduler)
    assert [run.run_id for run in await _active_runs(scheduler)] == [night.run_id]

    await _compute(scheduler, night)
    assert (await _states(scheduler, backfill_id))[0] is StepStatus.RUNNING


async def _status_of(scheduler: Service, run: Run) -> RunStatus | None:
    async with scheduler.unit_of_work.reading() as connection:
        stored = await SchedulerRepository(connection).find_run(run.run_id)
    return None if stored is None else stored.status


async def _open_by_request(scheduler: Service, live: Run) -> None:
    async with scheduler.unit_of_work() as uow:
        await open_or_join(live, uow)


async def _open_by_event(scheduler: Service, live: Run) -> None:
    async with scheduler.unit_of_work() as uow:
        await record_progress(SymbolsOnboarding(run=live, part=ONLY_PART), uow)


@pytest.mark.parametrize(
    ("kind", "open_live"), [(RunKind.NIGHTLY, _open_by_request), (RunKind.ONBOARDING, _open_by_event)]
)
async def test_step_in_flight_makes_way_for_a_live_run_and_is_done_after_it(
    scheduler: Service, kind: RunKind, open_live: Callable[[Service, Run], Awaitable[None]]
) -> None:
    backfill_id = await _start(scheduler)
    (broken_off,) = await _active_runs(scheduler)
    live = make_run(kind=kind)

    await open_live(scheduler, live)
    await _hear_of_the_end(scheduler, broken_off)

    assert await _status_of(scheduler, broken_off) is RunStatus.CANCELLED
    assert await _active_runs(scheduler) == [live]
    assert await _states(scheduler, backfill_id) == [StepStatus.QUEUED] * 4

    await _compute(scheduler, live)
    later = await _compute_all(scheduler)

    assert [run.first_session for run in later] == [FIRST, LAST, FIRST, LAST]
    stored, steps = await _stored(scheduler, backfill_id)
    assert stored.status is BackfillStatus.COMPLETED
    assert [step.outcome.done for step in steps] == [3, 3, 2, 2]


async def test_step_makes_no_way_for_another_backfill(scheduler: Service) -> None:
    await _start(scheduler)
    (step,) = await _active_runs(scheduler)
    other = make_run(kind=RunKind.BACKFILL)

    await _open_by_request(scheduler, other)

    assert {run.run_id for run in await _active_runs(scheduler)} == {step.run_id, other.run_id}


async def test_step_whose_run_has_ended_unheard_is_not_done_again_for_a_live_run(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (step,) = await _active_runs(scheduler)
    await _report(scheduler, step)

    live = make_run(kind=RunKind.NIGHTLY)
    await _open_by_request(scheduler, live)
    await _hear_of_the_end(scheduler, step)

    assert await _states(scheduler, backfill_id) == [StepStatus.DONE, *[StepStatus.QUEUED] * 3]


async def test_repeated_request_with_the_same_key_is_the_same_backfill(scheduler: Service) -> None:
    first, again = await _start(scheduler, key="k"), await _start(scheduler, key="k")
    assert first == again
    with pytest.raises(IdempotencyKeyReused):
        await _start(scheduler, EVERYTHING.of(Reprocess.ALL), key="k")


async def test_step_whose_cells_are_done_meanwhile_is_skipped_and_counted(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (first,) = await _active_runs(scheduler)
    somebody_elses = make_run(symbols=("AAA",), portfolio_ids=(), first_session=LAST, last_session=LAST)
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).store_run(somebody_elses, scope="x")
    await _compute(scheduler, somebody_elses)

    await _compute(scheduler, first)

    _, steps = await _stored(scheduler, backfill_id)
    assert [step.status for step in steps[:3]] == [StepStatus.DONE, StepStatus.SKIPPED, StepStatus.RUNNING]
    assert steps[1].outcome.done == 3


async def test_steps_are_sized_by_measured_rates_but_never_for_a_machine_much_slower_than_estimated(
    scheduler: Service,
) -> None:
    plans = []
    for seconds in (None, 0.0001, 1000.0):  # that a step over a session of a symbol, and of a portfolio, has taken
        if seconds is not None:
            await _start(scheduler)
            await _compute_all(scheduler)
            async with scheduler.unit_of_work() as uow:
                took = sa.text("UPDATE backfill_steps SET started_at = finished_at - make_interval(secs => :seconds)")
                await uow.connection.execute(took, {"seconds": seconds})
                await uow.connection.execute(sa.text("TRUNCATE cell_parts"))
        async with scheduler.unit_of_work.reading() as connection:
            settings = SchedulerSettings(backfill_step_s=0.001)
            plans.append(len((await plan_backfill(EVERYTHING, connection, settings=settings)).steps))

    assert plans == [3, 2, 4], "as estimated: two sessions of the symbol at once; all at once; each alone"


async def test_paused_backfill_begins_nothing_and_resumes_where_it_was(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (first,) = await _active_runs(scheduler)
    async with scheduler.unit_of_work() as uow:
        await pause_backfill(backfill_id, uow)
    await _compute(scheduler, first)
    assert await _active_runs(scheduler) == []

    async with scheduler.unit_of_work() as uow:
        await resume_backfill(backfill_id, uow)
    later = await _compute_all(scheduler)

    assert [(run.first_session, run.symbols) for run in later] == [(LAST, ("AAA",)), (FIRST, ()), (LAST, ())]
    with pytest.raises(BackfillEnded):
        await _resume(scheduler, backfill_id)


async def _resume(scheduler: Service, backfill_id: UUID) -> None:
    async with scheduler.unit_of_work() as uow:
        await resume_backfill(backfill_id, uow)


async def test_only_what_is_paused_can_be_resumed(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    with pytest.raises(NotPaused):
        await _resume(scheduler, backfill_id)


async def test_cancelled_backfill_leaves_nothing_active_and_keeps_what_is_done(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (first,) = await _active_runs(scheduler)
    await _compute(scheduler, first)
    (second,) = await _active_runs(scheduler)

    async with scheduler.unit_of_work() as uow:
        await cancel_backfill(backfill_id, uow)

    assert await _active_runs(scheduler) == []
    stored, steps = await _stored(scheduler, backfill_id)
    assert stored.status is BackfillStatus.CANCELLED
    assert [step.status for step in steps] == [StepStatus.DONE, *[StepStatus.CANCELLED] * 3]
    async with scheduler.unit_of_work.reading() as connection:
        run = await SchedulerRepository(connection).find_run(second.run_id)
    assert run is not None
    assert run.status is RunStatus.CANCELLED


async def test_backfill_is_cancelled_between_the_end_of_a_step_and_hearing_of_it(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (first,) = await _active_runs(scheduler)
    await _report(scheduler, first)

    async with scheduler.unit_of_work() as uow:
        await cancel_backfill(backfill_id, uow)
    await _hear_of_the_end(scheduler, first)

    assert await _active_runs(scheduler) == []
    stored, steps = await _stored(scheduler, backfill_id)
    assert stored.status is BackfillStatus.CANCELLED
    assert [step.status for step in steps] == [StepStatus.DONE, *[StepStatus.CANCELLED] * 3]


async def test_failed_cells_are_queued_again_and_nothing_else(scheduler: Service) -> None:
    backfill_id = await _start(scheduler)
    (first,) = await _active_runs(scheduler)
    await _compute(scheduler, first, failing=True)
    await _compute_all(scheduler)
    stored, steps = await _stored(scheduler, backfill_id)
    assert stored.status is BackfillStatus.COMPLETED_WITH_ERRORS
    assert steps[0].outcome.failed == 3

    async with scheduler.unit_of_work() as uow:
        assert await retry_failed_cells(backfill_id, uow, settings=SETTINGS) == 3
    (again,) = await _compute_all(scheduler)

    assert (again.first_session, again.symbols) == (FIRST, ("AAA",))
    assert (await _stored(scheduler, backfill_id))[0].status is BackfillStatus.COMPLETED


async def test_backfill_of_what_nobody_holds_is_refused(scheduler: Service) -> None:
    nobody = Scope(symbols=frozenset({"ZZZ"}), portfolio_ids=frozenset({str(UUID(int=7))}))
    with pytest.raises(UnknownSubjects, match=f"{UUID(int=7)}, ZZZ"):
        await _start(scheduler, Selection(FIRST, LAST, nobody))


async def test_backfill_of_what_is_complete_ends_at_once_and_opens_no_run(scheduler: Service) -> None:
    await _start(scheduler)
    done = await _compute_all(scheduler)
    backfill_id = await _start(scheduler)
    stored, steps = await _stored(scheduler, backfill_id)
    assert (stored.status, steps, len(done)) == (BackfillStatus.COMPLETED, [], 4)


NIGHT = date(2025, 3, 17)


async def _open_night(scheduler: Service, **settings: int) -> Run:
    request = RunRequest(RunKind.NIGHTLY, None, NIGHT, None, None, "test")
    async with scheduler.unit_of_work() as uow:
        run, _ = await open_run(request, uow, newest=NIGHT, settings=SETTINGS.model_copy(update=settings))
    return run


async def _repairs(scheduler: Service) -> list[StoredBackfill]:
    async with scheduler.unit_of_work.reading() as connection:
        listed = await BackfillRepository(connection).list_backfills(limit=10)
    return [stored for stored in listed if stored.requested_by == REPAIR]


async def test_night_covers_its_session_and_then_repairs_what_earlier_ones_left_out(scheduler: Service) -> None:
    """However long ago the last night was: what is missing is known per symbol and portfolio, not by a watermark."""
    night = await _open_night(scheduler)
    assert (night.first_session, night.last_session) == (NIGHT, NIGHT)
    (repair,) = await _repairs(scheduler)
    assert (repair.selection.last, len(repair.selection.sessions)) == (LAST, 30)
    assert [run.run_id for run in await _active_runs(scheduler)] == [night.run_id]

    await _compute(scheduler, night)
    repaired = await _compute_all(scheduler)

    assert [(run.kind, run.first_session, run.symbols) for run in repaired] == [
        (RunKind.BACKFILL, FIRST, ("AAA",)),
        (RunKind.BACKFILL, LAST, ("AAA",)),
        (RunKind.BACKFILL, FIRST, ()),
        (RunKind.BACKFILL, LAST, ()),
    ]
    assert [stored.status for stored in await _repairs(scheduler)] == [BackfillStatus.COMPLETED]


async def test_night_without_gaps_before_it_repairs_nothing(scheduler: Service) -> None:
    await _start(scheduler)
    await _compute_all(scheduler)
    await _open_night(scheduler)
    assert await _repairs(scheduler) == []


async def test_gap_of_one_symbol_is_repaired_for_that_symbol_alone(scheduler: Service) -> None:
    await _start(scheduler)
    await _compute_all(scheduler)
    late = Book(str(uuid4()), "late", FIRST, (Holding("BBB", LAST, None),))
    async with scheduler.unit_of_work() as uow:
        await BookRepository(uow.connection).store_books([late])

    await _compute(scheduler, await _open_night(scheduler))
    repaired = await _compute_all(scheduler)

    assert [(run.first_session, run.last_session, run.symbols) for run in repaired if run.symbols] == [
        (LAST, LAST, ("BBB",))
    ]


async def test_repair_looks_no_further_back_than_the_setting(scheduler: Service) -> None:
    await _open_night(scheduler, max_backfill_dates=1)
    (repair,) = await _repairs(scheduler)
    assert repair.selection.sessions == [LAST]


async def test_repair_that_is_under_way_is_left_to_end(scheduler: Service) -> None:
    first = await _open_night(scheduler)
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(first.run_id, RunStatus.FAILED)
    await _open_night(scheduler)
    assert len(await _repairs(scheduler)) == 1


async def test_repair_is_off_with_no_sessions_to_look_at(scheduler: Service) -> None:
    await _open_night(scheduler, max_backfill_dates=0)
    assert await _repairs(scheduler) == []
