"""The barrier on real PostgreSQL: it fires exactly once, whatever the order, the duplicates and the concurrency."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.fan_in import MAX_PASSED_ON, ArrivedPart, FanIn, failures_of
from shared.contracts.event import Event, Failure
from shared.contracts.run import After, Part, PartOf, Run
from shared.db.engine import build_engine
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.errors import ContradictingTotal
from tests.support.databases import ServiceDatabase
from tests.support.meter import metered
from tests.support.probe import SERVICE, ProbeFollowed, count
from tests.support.runs import make_run


class Left(Event):
    topic: ClassVar[str] = "probe.left"


class Right(Event):
    topic: ClassVar[str] = "probe.right"


class Held(Event):
    topic: ClassVar[str] = "probe.held"


@dataclass(slots=True)
class Fired:
    """Counts what a barrier fanned out; what was rolled back does not count."""

    parts: dict[str, list[Sequence[ArrivedPart]]] = field(default_factory=dict)

    async def __call__(self, run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
        self.parts.setdefault(str(run.run_id), []).append(parts)
        uow.emit(ProbeFollowed(run=run, part=Part(index=0, total=1)))

    def of(self, run: Run) -> list[Sequence[ArrivedPart]]:
        return self.parts.get(str(run.run_id), [])


@pytest.fixture(scope="module")
async def many_connections(probe: ServiceDatabase) -> AsyncIterator[UnitOfWorkFactory]:
    engine = build_engine(probe.url(SERVICE), service=SERVICE, pool_size=12)
    yield UnitOfWorkFactory(engine, source=SERVICE)
    await engine.dispose()


def _events(run: Run, *, left: int, right: int) -> list[Event]:
    return [
        *(Left(run=run, part=Part(index=index, total=left)) for index in range(left)),
        *(Right(run=run, part=Part(index=index, total=right)) for index in range(right)),
    ]


def _barrier(fired: Fired, *, name: str = "barrier", deadline_s: float = 900.0) -> FanIn:
    return FanIn(name, streams=(Left.topic, Right.topic), fan_out=fired, deadline_s=deadline_s)


async def _arrive(barrier: FanIn, event: Event, unit_of_work: UnitOfWorkFactory) -> None:
    async with unit_of_work() as uow:
        await barrier.arrive(event, [f"{event.topic}-{event.part.index}"], uow)


@pytest.mark.parametrize("seed", range(6))
async def test_fan_in_with_concurrent_arrivals_and_duplicates_fires_exactly_once(
    many_connections: UnitOfWorkFactory, engine: AsyncEngine, seed: int
) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired)
    arrivals = _events(run, left=9, right=5) * 2
    random.Random(seed).shuffle(arrivals)  # noqa: S311 - an order, not a secret

    await asyncio.gather(*(_arrive(barrier, event, many_connections) for event in arrivals))

    assert len(fired.of(run)) == 1
    assert await count(engine, "outbox", run) == 1
    (parts,) = fired.of(run)
    assert [(part.stream, part.index) for part in parts] == [
        *((Left.topic, index) for index in range(9)),
        *((Right.topic, index) for index in range(5)),
    ]
    assert parts[0].subjects == ("probe.left-0",)


async def test_fan_in_with_a_part_that_is_missing_does_not_fire(unit_of_work: UnitOfWorkFactory) -> None:
    fired, run = Fired(), make_run()
    for event in _events(run, left=2, right=3)[:-1]:
        await _arrive(_barrier(fired), event, unit_of_work)

    assert fired.of(run) == []


async def test_fan_in_without_any_part_of_a_stream_does_not_fire(unit_of_work: UnitOfWorkFactory) -> None:
    fired, run = Fired(), make_run()
    for event in _events(run, left=2, right=0):
        await _arrive(_barrier(fired), event, unit_of_work)

    assert fired.of(run) == []


async def test_fan_in_learns_the_totals_from_the_parts(unit_of_work: UnitOfWorkFactory) -> None:
    fired, small, large = Fired(), make_run(), make_run()
    for event in _events(small, left=1, right=1):
        await _arrive(_barrier(fired), event, unit_of_work)
    for event in _events(large, left=4, right=7):
        await _arrive(_barrier(fired), event, unit_of_work)

    assert [len(parts) for parts in (*fired.of(small), *fired.of(large))] == [2, 11]


@pytest.mark.parametrize("known", [True, False], ids=["genuine first", "foreign first"])
async def test_second_total_of_a_stream_is_refused_and_what_has_arrived_goes_on_at_once(
    unit_of_work: UnitOfWorkFactory, known: bool
) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired)
    genuine, foreign = Left(run=run, part=Part(index=0, total=1)), Left(run=run, part=Part(index=1, total=2))
    first, second = (genuine, foreign) if known else (foreign, genuine)
    await _arrive(barrier, first, unit_of_work)

    with pytest.raises(
        ContradictingTotal, match=f"must have {first.part.total} parts .* was {second.part.total}"
    ) as why:
        await _arrive(barrier, second, unit_of_work)
    for _ in range(2):
        async with unit_of_work() as uow:
            failure = Failure(subject="a part", reason=type(why.value).__name__, detail=str(why.value))
            await barrier.arrive_failed(second, failure, uow)

    (parts,) = fired.of(run)
    reasons = {failure.reason for failure in failures_of(parts)}
    assert reasons == {"ContradictingTotal", "DEADLINE"}
    await _arrive(barrier, Right(run=run, part=Part(index=0, total=1)), unit_of_work)
    assert len(fired.of(run)) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_portfolios_that_only_the_first_part_of_a_run_names_are_handed_on_whenever_it_comes(
    unit_of_work: UnitOfWorkFactory, seed: int
) -> None:
    handed: list[Run] = []

    async def fan_out(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
        handed.append(run)

    forerunner = make_run()
    after = After(run_id=forerunner.run_id, parts=tuple(PartOf(topic=Left.topic, index=index) for index in range(2)))
    named = make_run(symbols=("A",), portfolio_ids=(uuid4(),), after=after).leaving_unsaid("symbols")
    events = _events(named.leaving_unsaid("portfolio_ids"), left=3, right=2)
    assert "probe.left" not in events[1].run.model_dump_json(), "what it goes on from is named once"
    events[0] = events[0].model_copy(update={"run": named})
    events += _events(forerunner, left=2, right=1)[:2]
    random.Random(seed).shuffle(events)  # noqa: S311 - an order, not a secret
    barrier = FanIn("named", streams=(Left.topic, Right.topic), fan_out=fan_out)
    for event in events:
        await _arrive(barrier, event, unit_of_work)

    assert handed == [named]


async def test_what_is_told_of_a_run_grows_with_its_parts_and_what_it_names_and_not_with_both(
    probe: ServiceDatabase,
) -> None:
    async def told(size: int) -> int:
        named = make_run(portfolio_ids=tuple(uuid4() for _ in range(100 * size)))
        first, *others = _events(named.leaving_unsaid("portfolio_ids"), left=size, right=size)
        before = meter.told
        for event in (first.model_copy(update={"run": named}), *others):
            await _arrive(barrier, event, unit_of_work)
        assert len(fired.of(named)) == 1
        return meter.told - before

    fired = Fired()
    barrier = _barrier(fired, name="told")
    async with metered(probe.url(SERVICE).get_secret_value()) as meter:
        engine = build_engine(SecretStr(meter.url), service=SERVICE)
        unit_of_work = UnitOfWorkFactory(engine, source=SERVICE)
        await told(1)
        few, many = await told(20), await told(40)
        await engine.dispose()
    assert many < 2.5 * few


def test_what_failed_is_passed_on_once_and_no_more_of_it_than_an_event_holds() -> None:
    failed = [Failure(subject=f"S{place}", reason="MISSING_DATA", detail="no bars") for place in range(MAX_PASSED_ON)]
    streams = [ArrivedPart(stream, 0, 1, (), tuple(failed)) for stream in ("prices.updated", "profiles.updated")]
    too_many = ArrivedPart(
        "symbols.factored", 0, 1, (), tuple(one.model_copy(update={"detail": "x"}) for one in failed)
    )

    assert failures_of(streams) == tuple(failed)
    *first, rest = failures_of([*streams, too_many])
    assert first == failed
    assert rest.subject == f"{MAX_PASSED_ON} more"


async def test_fan_in_arrival_rolled_back_is_not_counted(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired)
    left, right = _events(run, left=1, right=1)
    await _arrive(barrier, left, unit_of_work)

    async def arrive_and_fail() -> None:
        async with unit_of_work() as uow:
            await barrier.arrive(right, [], uow)
            raise RuntimeError("after the barrier")

    with pytest.raises(RuntimeError, match="after the barrier"):
        await arrive_and_fail()
    assert await count(engine, "outbox", run) == 0

    await _arrive(barrier, right, unit_of_work)
    assert await count(engine, "outbox", run) == 1


async def test_fan_in_failed_part_closes_the_barrier(unit_of_work: UnitOfWorkFactory) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired)
    left, right = _events(run, left=1, right=1)
    await _arrive(barrier, left, unit_of_work)
    async with unit_of_work() as uow:
        await barrier.arrive_failed(right, Failure(subject="x", reason="KeyError", detail=""), uow)

    assert len(fired.of(run)) == 1


async def test_fan_ins_of_one_service_do_not_disturb_each_other(unit_of_work: UnitOfWorkFactory) -> None:
    one, other, run = Fired(), Fired(), make_run()
    for event in _events(run, left=1, right=1):
        await _arrive(_barrier(one, name="one"), event, unit_of_work)

    assert len(one.of(run)) == 1
    for event in _events(run, left=1, right=1):
        await _arrive(_barrier(other, name="other"), event, unit_of_work)
    assert len(other.of(run)) == 1


@pytest.mark.parametrize("seed", range(10))
async def test_fan_in_part_held_while_it_fires_is_taken_by_exactly_one_side(
    many_connections: UnitOfWorkFactory, seed: int
) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired)
    gone_on: list[int] = []

    async def hold(event: Event) -> None:
        async with many_connections() as uow:
            if await barrier.hold(event, [str(event.part.index)], uow, sessions=None):
                gone_on.append(event.part.index)

    held = [Held(run=run, part=Part(index=index, total=6)) for index in range(6)]
    moves = [
        *(hold(event) for event in held),
        *(_arrive(barrier, event, many_connections) for event in _events(run, left=2, right=1)),
    ]
    random.Random(seed).shuffle(moves)  # noqa: S311 - an order, not a secret

    await asyncio.gather(*moves)

    (parts,) = fired.of(run)
    taken_by_the_barrier = [part.index for part in parts if part.stream == Held.topic]
    assert sorted([*taken_by_the_barrier, *gone_on]) == list(range(6))


async def test_fan_in_past_its_deadline_fires_with_what_has_arrived_and_never_again(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    fired, run, patient = Fired(), make_run(), make_run()
    overdue = _barrier(fired, name="deadline", deadline_s=0.0)
    *in_time, late = _events(run, left=2, right=1)
    for event in in_time:
        await _arrive(overdue, event, unit_of_work)
    await _arrive(_barrier(fired, name="deadline"), _events(patient, left=2, right=1)[0], unit_of_work)

    for _ in range(2):
        async with unit_of_work() as uow:
            closed = await overdue.close_overdue(uow)
    await _arrive(overdue, late, unit_of_work)

    assert closed == ()
    (parts,) = fired.of(run)
    arrived = [(part.stream, part.index, part.total) for part in parts if not part.failures]
    assert arrived == [(Left.topic, 0, 2), (Left.topic, 1, 2)]
    assert [failure.subject for failure in failures_of(parts)] == ["probe.right: every part"]
    assert fired.of(patient) == []
    assert await count(engine, "outbox", run) == 1


async def test_fan_in_past_its_deadline_names_the_parts_that_are_missing_as_ranges(
    unit_of_work: UnitOfWorkFactory,
) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired, name="ranges", deadline_s=0.0)
    missing = {(Left.topic, index) for index in (3, 4, 5, 6, 7, 9)} | {(Right.topic, 0)}
    for event in _events(run, left=12, right=2):
        if (event.topic, event.part.index) not in missing:
            await _arrive(barrier, event, unit_of_work)

    async with unit_of_work() as uow:
        assert await barrier.close_overdue(uow) == (run,)

    (parts,) = fired.of(run)
    assert [(failure.subject, failure.reason) for failure in failures_of(parts)] == [
        ("probe.left: parts 3-7, 9 of 12", "DEADLINE"),
        ("probe.right: part 0 of 2", "DEADLINE"),
    ]


async def test_fan_in_swept_by_many_at_once_fires_once(
    many_connections: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    fired, run = Fired(), make_run()
    overdue = _barrier(fired, name="swept", deadline_s=0.0)
    *in_time, last = _events(run, left=2, right=1)
    for event in in_time:
        await _arrive(overdue, event, many_connections)

    async def sweep() -> None:
        async with many_connections() as uow:
            await overdue.close_overdue(uow)

    await asyncio.gather(*(sweep() for _ in range(8)), _arrive(overdue, last, many_connections))

    assert len(fired.of(run)) == 1
    assert await count(engine, "outbox", run) == 1


async def test_fan_in_that_counts_rows_instead_of_bumping_may_never_fire(
    many_connections: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    """The naive barrier, to show that the concurrency above is real: two transactions don't see each other's part."""
    run = make_run()
    both = asyncio.Barrier(2)
    seen: list[int] = []

    async def arrive(event: Event) -> None:
        async with many_connections() as uow:
            await uow.connection.execute(
                sa.text("INSERT INTO facts VALUES (:run_id, :index)"),
                {"run_id": run.run_id, "index": event.part.index},
            )
            await both.wait()
            found = await uow.connection.scalar(
                sa.text("SELECT count(*) FROM facts WHERE run_id = :run_id"), {"run_id": run.run_id}
            )
            seen.append(int(found or 0))
            await both.wait()  # neither commits before the other has counted

    await asyncio.gather(*(arrive(event) for event in _events(run, left=2, right=0)))

    assert seen == [1, 1]
    assert await count(engine, "facts", run) == 2


async def test_fan_in_passes_on_the_failure_of_a_part_that_could_not_be_stored(
    unit_of_work: UnitOfWorkFactory,
) -> None:
    fired, run = Fired(), make_run()
    barrier = _barrier(fired, name="failed-part")
    left, right = _events(run, left=1, right=1)
    failure = Failure(subject="probe.left part 0", reason="TypeError", detail="a bug")
    async with unit_of_work() as uow:
        await barrier.arrive_failed(left, failure, uow)
    await _arrive(barrier, right, unit_of_work)

    (parts,) = fired.of(run)
    assert failures_of(parts) == (failure,)


async def test_fan_in_deadline_starts_anew_with_the_service(unit_of_work: UnitOfWorkFactory) -> None:
    fired, run = Fired(), make_run()
    await _arrive(_barrier(fired, name="downtime", deadline_s=0.0), _events(run, left=1, right=1)[0], unit_of_work)
    started_again = _barrier(fired, name="downtime", deadline_s=60.0)
    async with unit_of_work() as uow:
        await started_again.extend_deadlines(uow)
    async with unit_of_work() as uow:
        assert await started_again.close_overdue(uow) == ()
    await _arrive(started_again, _events(run, left=1, right=1)[1], unit_of_work)
    assert len(fired.of(run)) == 1
