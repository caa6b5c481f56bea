"""The schedule on real PostgreSQL: each due time is answered once, whoever is up, and says what came of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from services.scheduler.commands.ask_for_stage import Firing
from services.scheduler.commands.fire_due import fire_due
from services.scheduler.commands.go_on_with_portfolios import go_on_waiting
from services.scheduler.commands.pause_schedule import pause_schedule, resume_schedule
from services.scheduler.commands.trigger_night import trigger_night
from services.scheduler.core.schedule import Outcome, Stage, Trigger
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.main import build
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.gauges import read_schedule
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.storage.schedule_repository import Fire
from shared.clock import SessionClock
from shared.contracts.event import Event
from shared.contracts.market_data import PriceBlock, PricesUpdated
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, After, Part, PartOf, Run
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.engine import StatementCounter
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.service import Service
from tests.support.clock import SetClock
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.runs import make_run

MONDAY = "2022-11-21T20:00"  # hours before the night of the 21st, which is 2022-11-22T02:00 in UTC
ONE_STAGE = SchedulerSettings(batch_v2_enabled=False)
TWO_STAGES = SchedulerSettings(batch_v2_enabled=True)


# It waits, like the one that does, for symbols of its own.
ANOTHER_NIGHT = sa.text(
    """
    WITH symbols AS (
        INSERT INTO runs SELECT (jsonb_populate_record(r, jsonb_build_object(
            'run_id', CAST(:run_id AS text), 'scope', 'another ' || CAST(:nights AS integer),
            'run', jsonb_set(r.run, '{run_id}', to_jsonb(CAST(:run_id AS text)))
        ))).* FROM runs r WHERE run_id = :symbols
    )
    INSERT INTO fires (trigger_name, due_at, fire_id, session, outcome, detail, waits_for, fired_by, fired_at)
    SELECT trigger_name, due_at - make_interval(days => CAST(:nights AS integer)), gen_random_uuid(), session,
        outcome, detail, run_id, fired_by, fired_at
    FROM fires, (SELECT CAST(:run_id AS uuid) AS run_id) AS another
    WHERE outcome = 'waiting' ORDER BY due_at DESC LIMIT 1
    """
)


@pytest.fixture(autouse=True)
async def _nothing_yet(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        for table in ("runs", "run_parts", "outbox", "fires", "triggers", "schedule_pauses"):
            await uow.connection.execute(sa.text(f"TRUNCATE {table}"))


@pytest.fixture(scope="module")
async def other_scheduler(database: ServiceDatabase) -> AsyncIterator[Service]:
    """Another process on the same database."""
    service = build(database.common, TWO_STAGES, clock=SetClock(MONDAY))
    yield service
    await service.engine.dispose()


@dataclass(slots=True)
class Scheduler:
    """A scheduler whose clock is set by hand."""

    unit_of_work: UnitOfWorkFactory
    settings: SchedulerSettings = TWO_STAGES
    name: str = "one"
    clock: SetClock = field(default_factory=lambda: SetClock(MONDAY))

    @property
    def firing(self) -> Firing:
        return Firing(self.clock.now(), timedelta(minutes=30), self.name, self.settings)

    async def at(self, instant: str) -> list[Fire]:
        """Set the clock, sweep once, and return what was fired."""
        self.clock.set(instant)
        return await self.sweep()

    async def sweep(self) -> list[Fire]:
        return [fire for trigger in self.settings.triggers() for fire in await self.fire(trigger)]

    async def fire(self, trigger: Trigger) -> list[Fire]:
        async with self.unit_of_work() as uow:
            return await fire_due(trigger, uow, self.firing)

    async def go_on(self) -> list[Fire]:
        async with self.unit_of_work() as uow:
            return await go_on_waiting(uow)

    async def by_hand(self, stage: Stage, instant: str) -> list[Fire]:
        self.clock.set(instant)
        async with self.unit_of_work() as uow:
            return await trigger_night(stage, uow, self.firing, asked_by="me")

    async def end(self, run_id: UUID, status: RunStatus = RunStatus.COMPLETED) -> None:
        async with self.unit_of_work() as uow:
            await SchedulerRepository(uow.connection).finish_run(run_id, status)

    async def rows(self, query: str) -> list[Any]:
        async with self.unit_of_work.reading() as connection:
            return list((await connection.execute(sa.text(query))).all())

    async def runs(self) -> list[tuple[str, date, date]]:
        """Return scope, first and last session of every run that was opened, oldest first."""
        found = await self.rows("SELECT scope, first_session, last_session FROM runs ORDER BY requested_at")
        return [tuple(row) for row in found]

    async def recorded(self) -> list[tuple[str, str, str]]:
        """Return trigger, due time and outcome of everything that is recorded, oldest first."""
        found = await self.rows("SELECT trigger_name, due_at, outcome FROM fires ORDER BY due_at, trigger_name")
        return [(row.trigger_name, f"{row.due_at:%m-%d %H:%M}", row.outcome) for row in found]


@pytest.fixture
async def one(scheduler: Service) -> Scheduler:
    """A scheduler that has been up since Monday."""
    up = Scheduler(scheduler.unit_of_work)
    assert await up.sweep() == []
    return up


@pytest.fixture
def other(other_scheduler: Service) -> Scheduler:
    return Scheduler(other_scheduler.unit_of_work, name="other")


def _outcomes(fires: Sequence[Fire]) -> list[tuple[Stage, Outcome]]:
    return [(fire.stage, fire.outcome) for fire in fires]


async def test_trigger_that_is_due_opens_a_run_over_its_session(one: Scheduler) -> None:
    assert await one.at("2022-11-22T01:59") == []
    (fire,) = await one.at("2022-11-22T02:00")

    assert (fire.stage, fire.session, fire.outcome) == (Stage.SYMBOLS, date(2022, 11, 21), Outcome.REQUESTED)
    assert await one.runs() == [("symbols=* portfolios=", date(2022, 11, 21), date(2022, 11, 21))]
    (event,) = await one.rows("SELECT convert_from(value, 'UTF8')::jsonb AS event FROM outbox")
    assert (event.event["run"]["symbols"], event.event["run"]["portfolio_ids"]) == (None, [])
    assert event.event["run"]["requested_by"] == "schedule: symbols"
    assert await one.sweep() == []


async def test_two_schedulers_fire_a_due_time_once(one: Scheduler, other: Scheduler) -> None:
    for night, session in (("2022-11-22T02:00", "11-21"), ("2022-11-23T02:00", "11-22"), ("2022-11-24T02:00", "11-23")):
        for up in (one, other):
            up.clock.set(night)
        (trigger, _) = TWO_STAGES.triggers()
        fired = await asyncio.gather(*(up.fire(trigger) for up in (one, other) for _ in range(3)))

        assert [fire.session for fires in fired for fire in fires] == [date.fromisoformat(f"2022-{session}")]
    (triggered,) = await one.rows("SELECT count(*) AS times FROM outbox WHERE topic = 'batch.triggered'")
    assert triggered.times == 3


async def test_scheduler_that_dies_before_its_commit_leaves_the_time_to_another(
    one: Scheduler, other: Scheduler
) -> None:
    one.clock.set("2022-11-22T02:00")
    other.clock.set("2022-11-22T02:00")
    (trigger, _) = TWO_STAGES.triggers()
    has_fired = asyncio.Event()

    async def fire_and_die() -> None:
        async with one.unit_of_work() as uow:
            assert len(await fire_due(trigger, uow, one.firing)) == 1
            has_fired.set()
            await asyncio.Event().wait()

    dying = asyncio.create_task(fire_and_die())
    await has_fired.wait()
    follower = asyncio.create_task(other.fire(trigger))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    (fire,) = await follower
    assert (fire.fired_by, fire.outcome) == ("other", Outcome.REQUESTED)
    assert len(await one.runs()) == 1


async def test_times_that_were_missed_are_made_up_for_once(one: Scheduler, other: Scheduler) -> None:
    (fire,) = await one.at("2022-11-22T02:00")
    await one.end(fire.run_ids[0])

    # Down over Tuesday's and Wednesday's night and the holiday; up again, both of them, on Friday morning.
    other.clock.set("2022-11-25T14:00")
    one.clock.set("2022-11-25T14:00")
    (trigger, _) = TWO_STAGES.triggers()
    await asyncio.gather(one.fire(trigger), other.fire(trigger))

    assert await one.recorded() == [
        ("symbols", "11-22 02:00", "requested"),
        ("symbols", "11-23 02:00", "coalesced"),
        ("symbols", "11-24 02:00", "requested"),
        ("symbols", "11-25 02:00", "closed day"),
    ]
    assert [last for _, _, last in await one.runs()] == [date(2022, 11, 21), date(2022, 11, 23)]
    assert await one.fire(trigger) == []


async def test_closed_day_is_a_recorded_no_op_and_an_early_close_a_night(one: Scheduler) -> None:
    await one.at("2022-11-24T02:30")
    assert _outcomes(await one.at("2022-11-25T02:30")) == [
        (Stage.SYMBOLS, Outcome.CLOSED_DAY),
        (Stage.PORTFOLIOS, Outcome.CLOSED_DAY),
    ]
    assert {last for _, _, last in await one.runs()} == {date(2022, 11, 23)}

    early = await one.at("2022-11-26T02:00")

    assert [(fire.session, fire.outcome) for fire in early] == [(date(2022, 11, 25), Outcome.REQUESTED)]


async def test_schedule_that_is_paused_asks_for_nothing_and_makes_up_for_nothing(one: Scheduler) -> None:
    async with one.unit_of_work() as uow:
        pause, is_new = await pause_schedule("the provider moves", uow, by="me", now=one.clock.now())
    async with one.unit_of_work() as uow:
        assert await pause_schedule("again", uow, by="you", now=one.clock.now()) == (pause, False)
    assert is_new

    (fire, _) = await one.at("2022-11-22T02:30")
    assert (fire.outcome, fire.detail) == (Outcome.PAUSED, "by me: the provider moves")
    async with one.unit_of_work() as uow:
        ended = await resume_schedule(uow, by="you", now=one.clock.now())
    assert ended is not None
    assert (ended.paused_by, ended.resumed_by) == ("me", "you")

    assert await one.sweep() == []
    assert _outcomes(await one.at("2022-11-23T02:00")) == [(Stage.SYMBOLS, Outcome.REQUESTED)]
    async with one.unit_of_work() as uow:
        assert await resume_schedule(uow, by="you", now=one.clock.now()) is None


async def test_batch_processing_that_is_disabled_asks_for_nothing(one: Scheduler) -> None:
    one.settings = SchedulerSettings(batch_processing_enabled=False)
    (fire,) = await one.at("2022-11-22T02:00")
    assert (fire.outcome, fire.detail) == (Outcome.PAUSED, "BATCH_PROCESSING_ENABLED is false")
    assert await one.runs() == []


async def test_nights_of_one_stage_are_one_run_over_everything(one: Scheduler) -> None:
    one.settings = ONE_STAGE
    assert await one.sweep() == []
    (fire,) = await one.at("2022-11-21T23:30")
    assert _outcomes([fire]) == [(Stage.NIGHTLY, Outcome.REQUESTED)]
    assert await one.runs() == [("symbols=* portfolios=*", date(2022, 11, 21), date(2022, 11, 21))]

    # Two stages from now on: that night has everything in it already.
    one.settings = TWO_STAGES
    assert _outcomes(await one.at("2022-11-22T02:30")) == [
        (Stage.SYMBOLS, Outcome.JOINED),
        (Stage.PORTFOLIOS, Outcome.JOINED),
    ]
    await one.end(fire.run_ids[0], RunStatus.COMPLETED_WITH_ERRORS)
    (again,) = await one.by_hand(Stage.PORTFOLIOS, "2022-11-22T03:00")
    assert (again.outcome, again.run_ids) == (Outcome.NOTHING_TO_DO, fire.run_ids)


async def test_times_that_are_changed_are_not_missed_before_the_change(one: Scheduler) -> None:
    one.settings = SchedulerSettings(symbols_crontab="30 15 * * mon-fri")
    assert await one.at("2022-11-21T21:00") == []
    (fire,) = [fire for fire in await one.at("2022-11-22T20:30") if fire.stage is Stage.SYMBOLS]
    assert fire.due_at == one.clock.now()


async def test_portfolios_wait_for_the_symbols_of_their_session_however_long_and_go_on_from_them(
    one: Scheduler,
) -> None:
    (symbols,) = await one.at("2022-11-22T02:00")
    (portfolios,) = await one.at("2022-11-22T02:30")
    assert (portfolios.outcome, portfolios.waits_for) == (Outcome.WAITING, symbols.run_ids[0])
    assert _outcomes(await one.go_on()) == [(Stage.PORTFOLIOS, Outcome.WAITING)]
    assert len(await one.runs()) == 1

    await one.end(symbols.run_ids[0])
    (gone_on,) = await one.go_on()

    assert (gone_on.outcome, len(gone_on.run_ids)) == (Outcome.REQUESTED, 1)
    assert (await one.runs())[1:] == [("symbols= portfolios=*", date(2022, 11, 21), date(2022, 11, 21))]
    assert await one.go_on() == []


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.FAILED])
async def test_portfolios_go_on_at_once_when_the_symbols_have_ended_however_they_did(
    one: Scheduler, status: RunStatus
) -> None:
    (symbols,) = await one.at("2022-11-22T02:00")
    await one.end(symbols.run_ids[0], status)
    assert _outcomes(await one.at("2022-11-22T02:30")) == [(Stage.PORTFOLIOS, Outcome.REQUESTED)]


async def test_portfolios_do_not_wait_for_symbols_that_were_cancelled(one: Scheduler) -> None:
    (symbols,) = await one.at("2022-11-22T02:00")
    await one.at("2022-11-22T02:30")
    await one.end(symbols.run_ids[0], RunStatus.CANCELLED)

    (fire,) = await one.go_on()

    (row,) = await one.rows(f"SELECT run FROM runs WHERE run_id = '{fire.run_ids[0]}'")
    run = Run.model_validate(row.run)
    assert (run.portfolio_ids, run.after) == (None, None), "what was dropped never comes"


async def test_portfolios_whose_symbols_nobody_asked_for_ask_for_them(one: Scheduler) -> None:
    (_, trigger) = TWO_STAGES.triggers()
    one.clock.set("2022-11-22T02:30")
    (fire,) = await one.fire(trigger)

    assert (fire.outcome, fire.detail) == (Outcome.WAITING, "for the symbols, which nobody had asked for")
    assert [scope for scope, _, _ in await one.runs()] == ["symbols=* portfolios="]
    assert fire.waits_for is not None
    await one.end(fire.waits_for)
    assert _outcomes(await one.go_on()) == [(Stage.PORTFOLIOS, Outcome.REQUESTED)]


async def test_two_schedulers_let_the_portfolios_go_on_once(one: Scheduler, other: Scheduler) -> None:
    (symbols,) = await one.at("2022-11-22T02:00")
    await one.at("2022-11-22T02:30")
    other.clock.set("2022-11-22T02:31")
    await one.end(symbols.run_ids[0])

    await asyncio.gather(one.go_on(), other.go_on(), one.go_on(), other.go_on())

    assert [scope for scope, _, _ in await one.runs()] == ["symbols=* portfolios=", "symbols= portfolios=*"]


async def test_night_by_hand_is_both_stages_in_their_order(one: Scheduler) -> None:
    symbols, portfolios = await one.by_hand(Stage.NIGHTLY, "2022-11-21T22:00")
    assert _outcomes([symbols, portfolios]) == [
        (Stage.SYMBOLS, Outcome.REQUESTED),
        (Stage.PORTFOLIOS, Outcome.WAITING),
    ]
    assert (symbols.asked_by, portfolios.waits_for) == ("me", symbols.run_ids[0])

    # Asked for again, by hand or by its time, it is the same night.
    assert (await one.by_hand(Stage.NIGHTLY, "2022-11-21T22:05"))[1].fire_id == portfolios.fire_id
    assert _outcomes(await one.at("2022-11-22T02:30")) == [
        (Stage.SYMBOLS, Outcome.JOINED),
        (Stage.PORTFOLIOS, Outcome.JOINED),
    ]
    await one.end(symbols.run_ids[0])
    (gone_on,) = await one.go_on()
    await one.end(gone_on.run_ids[0])
    assert _outcomes(await one.by_hand(Stage.NIGHTLY, "2022-11-22T03:00")) == [
        (Stage.SYMBOLS, Outcome.NOTHING_TO_DO),
        (Stage.PORTFOLIOS, Outcome.NOTHING_TO_DO),
    ]
    assert len(await one.runs()) == 2


async def test_night_by_hand_with_one_stage_is_one_run(one: Scheduler) -> None:
    one.settings = ONE_STAGE
    assert _outcomes(await one.by_hand(Stage.NIGHTLY, "2022-11-21T22:00")) == [(Stage.NIGHTLY, Outcome.REQUESTED)]


async def test_night_by_hand_on_a_closed_day_is_a_no_op_only_when_the_last_one_is_done(one: Scheduler) -> None:
    one.settings = ONE_STAGE
    (made_up_for,) = await one.by_hand(Stage.NIGHTLY, "2022-11-24T18:00")
    assert (made_up_for.outcome, made_up_for.session) == (Outcome.REQUESTED, date(2022, 11, 23))
    await one.end(made_up_for.run_ids[0], RunStatus.COMPLETED_WITH_ERRORS)

    (no_op,) = await one.by_hand(Stage.NIGHTLY, "2022-11-24T23:30")

    assert (no_op.outcome, no_op.run_ids) == (Outcome.CLOSED_DAY, ())


async def test_run_that_failed_is_asked_for_again_by_hand_also_while_paused(one: Scheduler) -> None:
    one.settings = ONE_STAGE
    (failed,) = await one.by_hand(Stage.NIGHTLY, "2022-11-21T22:00")
    await one.end(failed.run_ids[0], RunStatus.FAILED)
    async with one.unit_of_work() as uow:
        await pause_schedule("repairs", uow, by="me", now=one.clock.now())

    (again,) = await one.by_hand(Stage.NIGHTLY, "2022-11-21T22:30")

    assert again.outcome is Outcome.REQUESTED
    assert again.run_ids != failed.run_ids


async def test_night_before_the_settle_delay_is_that_of_the_session_before(one: Scheduler) -> None:
    one.settings = ONE_STAGE
    sessions = []
    for instant in ("2022-11-25T18:29", "2022-11-25T18:30"):  # closed at 18:00 that day
        (fire,) = await one.by_hand(Stage.NIGHTLY, instant)
        sessions.append(fire.session)
    assert sessions == [date(2022, 11, 23), date(2022, 11, 25)]


AAPL_BOOK, MSFT_BOOK = UUID(int=1), UUID(int=2)


@dataclass(frozen=True, slots=True)
class Night:
    """The symbols run of a night, whose parts arrive as a test says; two portfolios wait for it."""

    up: Scheduler
    symbols_run: Run

    async def arrive(self, *events: Event) -> None:
        for event in events:
            async with self.up.unit_of_work() as uow:
                await record_progress(event, uow)

    def bars(self, index: int, *symbols: str, session: date | None = None) -> PricesUpdated:
        columns = ((1.0,),) * len(symbols)
        sessions = (session or self.symbols_run.last_session,)
        block = PriceBlock(sessions=sessions, symbols=symbols, close=columns, adjusted=columns)
        return PricesUpdated(run=self.symbols_run, part=Part(index=index, total=2), blocks=(block,))

    def factors(self, index: int, *symbols: str) -> SymbolsFactored:
        return SymbolsFactored(
            run=self.symbols_run,
            part=Part(index=index, total=2),
            as_ofs=(self.symbols_run.last_session,),
            symbols=symbols,
            columns=("market_beta",),
            values=(((1.0,),) * len(symbols),),
        )

    async def portfolio_runs(self) -> list[Run]:
        """Return the runs over portfolios, oldest first."""
        rows = await self.up.rows("SELECT run FROM runs WHERE run ->> 'symbols' = '[]' ORDER BY requested_at")
        return [Run.model_validate(row.run) for row in rows]


@pytest.fixture
async def night(one: Scheduler) -> Night:
    async with one.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE books, cell_parts"))
    for portfolio_id, symbol in ((AAPL_BOOK, "AAPL"), (MSFT_BOOK, "MSFT")):
        run = make_run(symbols=(symbol,), portfolio_ids=(portfolio_id,), first_session=date(2022, 11, 1))
        onboarding = SymbolsOnboarding(run=run, part=ONLY_PART, portfolio_id=portfolio_id, opened_on=date(2022, 11, 1))
        async with one.unit_of_work() as uow:
            await record_progress(onboarding, uow)
        await one.end(run.run_id)
    (fire,) = await one.at("2022-11-22T02:00")
    await one.at("2022-11-22T02:30")
    (row,) = await one.rows(f"SELECT run FROM runs WHERE run_id = '{fire.run_ids[0]}'")
    return Night(one, Run.model_validate(row.run))


async def test_portfolio_goes_on_as_soon_as_its_symbols_are_in_and_the_rest_when_the_symbols_have_ended(
    night: Night,
) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.bars(1, "MSFT"))
    assert await night.portfolio_runs() == []

    await night.arrive(night.factors(1, "AAPL"))
    (early,) = await night.portfolio_runs()

    assert early.portfolio_ids == (AAPL_BOOK,)
    assert early.after == After(
        run_id=night.symbols_run.run_id,
        parts=(
            PartOf(topic="prices.updated", index=0),
            PartOf(topic="profiles.updated", index=0),
            PartOf(topic="symbols.factored", index=1),
        ),
    )
    (waiting,) = await night.up.rows("SELECT outcome, run_ids FROM fires WHERE trigger_name = 'portfolios'")
    assert tuple(waiting) == ("waiting", [early.run_id])

    await night.up.end(night.symbols_run.run_id)
    await night.up.end(early.run_id)
    (fire,) = await night.up.go_on()

    _, rest = await night.portfolio_runs()
    assert (rest.portfolio_ids, rest.after) == ((MSFT_BOOK,), After(run_id=night.symbols_run.run_id))
    assert (fire.outcome, fire.run_ids) == (Outcome.REQUESTED, (early.run_id, rest.run_id))


async def test_portfolios_go_on_by_one_run_at_a_time(night: Night) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.bars(1, "MSFT"), night.factors(0, "AAPL"), night.factors(1, "MSFT"))
    (early,) = await night.portfolio_runs()
    assert early.portfolio_ids == (AAPL_BOOK,)

    await night.up.end(early.run_id)
    (fire,) = await night.up.go_on()

    assert [run.portfolio_ids for run in await night.portfolio_runs()] == [(AAPL_BOOK,), (MSFT_BOOK,)]
    assert fire.outcome is Outcome.WAITING
    await night.up.end(fire.run_ids[-1])
    await night.up.end(night.symbols_run.run_id)
    (fire,) = await night.up.go_on()
    assert (fire.outcome, len(fire.run_ids)) == (Outcome.REQUESTED, 2), "nobody is left"


async def test_portfolio_whose_early_run_failed_is_among_the_rest(night: Night) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.factors(0, "AAPL"))
    (early,) = await night.portfolio_runs()
    await night.up.end(early.run_id, RunStatus.FAILED)
    await night.up.end(night.symbols_run.run_id)

    await night.up.go_on()

    assert (await night.portfolio_runs())[1].portfolio_ids is None, "nobody is served yet"


async def test_portfolio_whose_early_run_was_cancelled_is_left_out_and_said_to_be(night: Night) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.factors(0, "AAPL"))
    (early,) = await night.portfolio_runs()
    await night.up.end(early.run_id, RunStatus.CANCELLED)
    await night.up.end(night.symbols_run.run_id)

    (fire,) = await night.up.go_on()

    assert [run.portfolio_ids for run in await night.portfolio_runs()] == [(AAPL_BOOK,), (MSFT_BOOK,)]
    told = f"without the portfolios of run {early.run_id}, which was cancelled; a trigger by hand asks for them"
    assert (fire.outcome, fire.detail) == (Outcome.REQUESTED, told)


@pytest.mark.parametrize("symbols_have_ended", [False, True])
async def test_portfolio_whose_early_run_was_cancelled_is_asked_for_again_by_hand(
    night: Night, symbols_have_ended: bool
) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.factors(0, "AAPL"))
    (early,) = await night.portfolio_runs()
    await night.up.end(early.run_id, RunStatus.CANCELLED)
    if symbols_have_ended:
        await night.up.end(night.symbols_run.run_id)
        (ended,) = await night.up.go_on()
        await night.up.end(ended.run_ids[-1])

    (fire,) = await night.up.by_hand(Stage.PORTFOLIOS, "2022-11-22T03:00")

    again = (await night.portfolio_runs())[-1]
    assert again.run_id in fire.run_ids
    assert early.run_id not in fire.run_ids
    assert again.portfolio_ids == (None if symbols_have_ended else (AAPL_BOOK,))


async def test_portfolios_that_went_early_go_again_when_the_symbols_turn_out_to_be_corrected(night: Night) -> None:
    await night.arrive(night.bars(0, "AAPL"), night.factors(0, "AAPL"))
    (early,) = await night.portfolio_runs()
    await night.arrive(night.bars(1, "MSFT", session=date(2022, 11, 17)))
    await night.up.end(early.run_id)
    await night.up.end(night.symbols_run.run_id)

    await night.up.go_on()

    assert (await night.portfolio_runs())[1].portfolio_ids is None


async def test_part_costs_the_same_statements_however_many_other_nights_wait(night: Night, scheduler: Service) -> None:
    counter, costs = StatementCounter(scheduler.engine), []
    for index, symbol in enumerate(("AAPL", "MSFT")):
        before = counter.statements
        await night.arrive(night.factors(index, symbol))
        costs.append(counter.statements - before)
        async with scheduler.unit_of_work() as uow:
            for nights in range(0 if index else 30):
                another = {"nights": nights + 1, "run_id": str(uuid4()), "symbols": night.symbols_run.run_id}
                await uow.connection.execute(ANOTHER_NIGHT, another)
    assert costs[0] == costs[1]


async def test_part_that_arrives_while_another_scheduler_lets_portfolios_go_on_waits_for_it(
    night: Night, other: Scheduler
) -> None:
    await night.arrive(night.factors(0, "AAPL"), night.bars(0, "AAPL"), night.bars(1, "MSFT"))
    gone_on, commit = asyncio.Event(), asyncio.Event()

    async def go_on_and_stay() -> None:
        async with other.unit_of_work() as uow:
            assert len((await go_on_waiting(uow))[0].run_ids) == 1
            gone_on.set()
            await commit.wait()

    staying = asyncio.create_task(go_on_and_stay())
    await gone_on.wait()
    arriving = asyncio.create_task(night.arrive(night.factors(1, "MSFT")))

    async def waits_or_is_through() -> bool:
        locked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return arriving.done() or bool(await night.up.rows(locked))

    await eventually(waits_or_is_through)
    commit.set()
    await asyncio.gather(staying, arriving)

    assert [run.portfolio_ids for run in await night.portfolio_runs()] == [(AAPL_BOOK,)]


async def test_trigger_is_late_for_as_long_as_its_newest_time_is_unanswered(one: Scheduler) -> None:
    async def late() -> dict[tuple[str, ...], float]:
        clock = SessionClock(one.clock)
        async with one.unit_of_work.reading() as connection:
            read = await read_schedule(connection, settings=one.settings, clock=clock)
        return {entry.labels: entry.value for entry in read}

    assert await late() == {("symbols",): 0.0, ("portfolios",): 0.0, (): 0.0}
    await one.sweep()
    one.clock.set("2022-11-22T02:10")
    assert await late() == {("symbols",): 600.0, ("portfolios",): 0.0, (): 0.0}
    await one.sweep()
    assert await late() == {("symbols",): 0.0, ("portfolios",): 0.0, (): 0.0}
    async with one.unit_of_work() as uow:
        await pause_schedule("holiday", uow, by="me", now=one.clock.now())
    assert await late() == {("symbols",): 0.0, ("portfolios",): 0.0, (): 1.0}
