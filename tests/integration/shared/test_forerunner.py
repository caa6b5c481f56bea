"""A run that goes on from another, on real PostgreSQL: its barrier opens after the other's, once, however they meet."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.fan_in import ArrivedPart, FanIn, failures_of
from shared.contracts.event import Event
from shared.contracts.run import After, Part, PartOf, Run
from shared.db.engine import StatementCounter, build_engine
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE
from tests.support.runs import make_run

NAME = "goes on"


class Left(Event):
    topic: ClassVar[str] = "probe.left"


class Right(Event):
    topic: ClassVar[str] = "probe.right"


@dataclass(slots=True)
class Fired:
    """The runs that were fanned out, in their order; what was rolled back is in it, too."""

    runs: list[UUID] = field(default_factory=list)
    parts: dict[UUID, Sequence[ArrivedPart]] = field(default_factory=dict)

    async def __call__(self, run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
        self.runs.append(run.run_id)
        self.parts[run.run_id] = parts


@pytest.fixture(scope="module")
async def unit_of_work(probe: ServiceDatabase) -> AsyncIterator[UnitOfWorkFactory]:
    engine = build_engine(probe.url(SERVICE), service=SERVICE, pool_size=12)
    yield UnitOfWorkFactory(engine, source=SERVICE)
    await engine.dispose()


@pytest.fixture
def fired() -> Fired:
    return Fired()


@pytest.fixture
def barrier(fired: Fired) -> FanIn:
    return FanIn(NAME, streams=(Left.topic, Right.topic), fan_out=fired)


def _parts(run: Run, total: int = 1) -> list[Event]:
    return [event(run=run, part=Part(index=index, total=total)) for event in (Left, Right) for index in range(total)]


def _after(run: Run, *parts: PartOf) -> Run:
    return make_run(after=After(run_id=run.run_id, parts=parts or None))


async def _arrive(barrier: FanIn, event: Event, unit_of_work: UnitOfWorkFactory) -> None:
    async with unit_of_work() as uow:
        await barrier.arrive(event, [], uow)


async def test_run_that_goes_on_opens_with_the_last_part_of_the_other(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    forerunner = make_run()
    run = _after(forerunner)
    *first, last = _parts(forerunner, 2)
    for event in (*_parts(run), *first):
        await _arrive(barrier, event, unit_of_work)
    assert fired.runs == []

    await _arrive(barrier, last, unit_of_work)

    assert fired.runs == [forerunner.run_id, run.run_id]
    assert [(part.stream, part.index) for part in fired.parts[run.run_id]] == [(Left.topic, 0), (Right.topic, 0)]


async def test_run_that_goes_on_from_one_that_is_done_opens_with_its_own_last_part(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    forerunner = make_run()
    run = _after(forerunner)
    for event in (*_parts(forerunner), *_parts(run)):
        await _arrive(barrier, event, unit_of_work)
    assert fired.runs == [forerunner.run_id, run.run_id]


async def test_run_that_goes_on_from_parts_opens_when_those_are_in(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    forerunner = make_run()
    # A topic that this barrier does not listen to is for another one.
    parts = (PartOf(topic=Left.topic, index=1), PartOf(topic=Right.topic, index=1), PartOf(topic="else", index=7))
    run = _after(forerunner, *parts)
    left_0, left_1, right_0, right_1 = _parts(forerunner, 2)
    for event in (*_parts(run), left_0, left_1):
        await _arrive(barrier, event, unit_of_work)
    assert fired.runs == []

    await _arrive(barrier, right_1, unit_of_work)
    assert fired.runs == [run.run_id]

    await _arrive(barrier, right_0, unit_of_work)
    assert fired.runs == [run.run_id, forerunner.run_id]


@pytest.mark.parametrize("after_parts", [True, False])
async def test_part_costs_the_same_statements_however_many_runs_wait(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory, after_parts: bool
) -> None:
    costs = []
    for waiting in (1, 30):
        forerunner = make_run()
        first, *_, last = _parts(forerunner, 2)
        awaited = (PartOf(topic=last.topic, index=last.part.index),) if after_parts else ()
        for run in [_after(forerunner, *awaited) for _ in range(waiting)]:
            for event in _parts(run):
                await _arrive(barrier, event, unit_of_work)
        async with unit_of_work() as uow:
            counter = StatementCounter(uow.connection.engine)
            await barrier.arrive(first, [], uow)
            costs.append(counter.statements)
    assert fired.runs == []
    assert costs[0] == costs[1]


async def test_runs_that_go_on_from_one_another_open_one_after_the_other(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    first = make_run()
    second = _after(first)
    third, also_third = _after(second), _after(second)
    for event in (*_parts(third), *_parts(second), *_parts(also_third), *_parts(first)):
        await _arrive(barrier, event, unit_of_work)
    assert fired.runs[:2] == [first.run_id, second.run_id]
    assert set(fired.runs[2:]) == {third.run_id, also_third.run_id}
    assert len(fired.runs) == 4


async def test_run_that_goes_on_from_one_that_never_comes_is_closed_by_its_deadline_and_says_so(
    fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    overdue = FanIn("deadline", streams=(Left.topic, Right.topic), fan_out=fired, deadline_s=0.0)
    never = make_run()
    run = _after(never)
    for event in _parts(run):
        await _arrive(overdue, event, unit_of_work)
    async with unit_of_work() as uow:
        assert await overdue.close_overdue(uow) == (run,)
    async with unit_of_work() as uow:
        assert await overdue.close_overdue(uow) == ()

    assert fired.runs == [run.run_id]
    (failure,) = failures_of(fired.parts[run.run_id])
    assert (failure.subject, failure.reason) == (f"run {never.run_id}", "DEADLINE")

    # What nothing had arrived of has its whole time when something does.
    patient = FanIn("deadline", streams=(Left.topic, Right.topic), fan_out=fired, deadline_s=60.0)
    for event in _parts(never):
        await _arrive(patient, event, unit_of_work)
    assert fired.runs == [run.run_id, never.run_id]


async def test_one_that_is_closed_by_its_deadline_lets_those_that_wait_for_it_go_on(
    fired: Fired, unit_of_work: UnitOfWorkFactory
) -> None:
    patient = FanIn("closed", streams=(Left.topic, Right.topic), fan_out=fired)
    hasty = FanIn("closed", streams=(Left.topic, Right.topic), fan_out=fired, deadline_s=0.0)
    forerunner = make_run()
    run = _after(forerunner)
    for event in _parts(run):
        await _arrive(patient, event, unit_of_work)
    await _arrive(hasty, _parts(forerunner)[0], unit_of_work)

    async with unit_of_work() as uow:
        assert await hasty.close_overdue(uow) == (forerunner,)

    assert fired.runs == [forerunner.run_id, run.run_id]
    assert failures_of(fired.parts[run.run_id]) == ()


Arrive = Callable[[Event], Awaitable[None]]


async def _interleaved(
    first: Event, second: Event, barrier: FanIn, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    """Let the second arrive while the transaction in which the first did is still open."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def arrive_and_stay() -> None:
        async with unit_of_work() as uow:
            await barrier.arrive(first, [], uow)
            arrived.set()
            await go_on.wait()

    staying = asyncio.create_task(arrive_and_stay())
    await arrived.wait()
    meeting = asyncio.create_task(_arrive(barrier, second, unit_of_work))

    async def waits_or_is_through() -> bool:
        query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name")
        async with engine.connect() as connection:
            name = await connection.scalar(sa.text("SELECT current_database()"))
            return meeting.done() or bool(await connection.scalar(query, {"name": name}))

    await eventually(waits_or_is_through)
    go_on.set()
    await asyncio.gather(staying, meeting)


@pytest.mark.parametrize("by_parts", [False, True])
@pytest.mark.parametrize("waiter_first", [False, True])
async def test_last_parts_of_both_at_once_never_miss_each_other(
    barrier: FanIn,
    fired: Fired,
    unit_of_work: UnitOfWorkFactory,
    engine: AsyncEngine,
    waiter_first: bool,
    by_parts: bool,
) -> None:
    forerunner = make_run()
    run = _after(forerunner, *([PartOf(topic=Right.topic, index=0)] if by_parts else []))
    (forerunner_left, forerunner_last), (left, last) = _parts(forerunner), _parts(run)
    for event in (forerunner_left, left):
        await _arrive(barrier, event, unit_of_work)

    both = (last, forerunner_last) if waiter_first else (forerunner_last, last)
    await _interleaved(*both, barrier, unit_of_work, engine)

    assert sorted(fired.runs) == sorted([forerunner.run_id, run.run_id])


@pytest.mark.parametrize("waiter_first", [False, True])
async def test_only_parts_of_both_at_once_never_miss_each_other(
    fired: Fired, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, waiter_first: bool
) -> None:
    barrier = FanIn("single", streams=(Left.topic,), fan_out=fired)
    forerunner = make_run()
    run = _after(forerunner)
    theirs, own = (Left(run=each, part=Part(index=0, total=1)) for each in (forerunner, run))

    await _interleaved(*((own, theirs) if waiter_first else (theirs, own)), barrier, unit_of_work, engine)

    assert fired.runs == [forerunner.run_id, run.run_id]


@pytest.mark.parametrize("seed", range(8))
async def test_parts_of_several_runs_in_any_order_and_at_once_open_each_once_and_in_order(
    barrier: FanIn, fired: Fired, unit_of_work: UnitOfWorkFactory, seed: int
) -> None:
    forerunner = make_run()
    followers = [_after(forerunner), _after(forerunner, PartOf(topic=Left.topic, index=2))]
    last = make_run(after=After(run_id=followers[0].run_id))
    arrivals = [event for run in (forerunner, *followers, last) for event in _parts(run, 4)] * 2
    random.Random(seed).shuffle(arrivals)  # noqa: S311 - an order, not a secret

    await asyncio.gather(*(_arrive(barrier, event, unit_of_work) for event in arrivals))

    expected = [forerunner.run_id, followers[0].run_id, last.run_id]
    assert [run_id for run_id in fired.runs if run_id in expected] == expected
    assert sorted(fired.runs) == sorted([*expected, followers[1].run_id])


async def test_run_that_goes_on_from_another_survives_the_event_it_is_in() -> None:
    run = _after(make_run(), PartOf(topic=Left.topic, index=3))
    event = Left(run=run, part=Part(index=0, total=1))
    assert Left.model_validate_json(event.model_dump_json()).run == run
    assert make_run(run_id=uuid4()).after is None
