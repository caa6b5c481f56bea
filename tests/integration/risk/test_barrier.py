from itertools import permutations
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.risk.events import report_failed_assessment, report_failed_books
from shared.calendar import shift_session
from shared.contracts.event import Event, Failure
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.contracts.run import Part, Run
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, factored, priced, profiled, valued
from tests.support.runs import SESSION, make_run

HALVES = (Part(index=0, total=2), Part(index=1, total=2))
PORTFOLIOS = (uuid4(), uuid4())
FAILURE = Failure(subject="part 0", reason="ValueError", detail="must be positive, was -1")


def parts_of(run: Run) -> list[Event]:
    """Two valued parts, and the inputs of the run."""
    return [
        priced(run, {}),
        profiled(run, {}),
        factored(run, {}),
        *(valued(run, book(owner, {}), part=part) for owner, part in zip(PORTFOLIOS, HALVES, strict=True)),
    ]


async def due_parts(risk: Risk, run: Run) -> list[tuple[Part, tuple[object, ...]]]:
    due = await risk.announced(RiskDue, run)
    return sorted(((event.part, event.portfolio_ids) for event in due), key=lambda entry: entry[0].index)


async def test_parts_in_any_order_give_one_shard_for_each_valued_part(risk: Risk) -> None:
    expected = [(part, (owner,)) for part, owner in zip(HALVES, PORTFOLIOS, strict=True)]

    # The two valued parts are alike: with one of them always first, half of the orders are enough.
    for order in (order for order in permutations(range(5)) if order.index(3) < order.index(4)):
        run = make_run()
        parts = parts_of(run)
        await risk.deliver(*(parts[index] for index in order))

        assert await due_parts(risk, run) == expected, order


@pytest.mark.parametrize("inputs_first", [True, False])
async def test_part_is_assessed_at_its_own_sessions_only(risk: Risk, inputs_first: bool) -> None:
    days = [shift_session(SESSION, -offset) for offset in (2, 1, 0)]
    run, owner = make_run(first_session=days[0]), uuid4()
    inputs: list[Event] = [priced(run, {}), profiled(run, {}), factored(run, {})]
    books: list[Event] = [
        valued(run, book(owner, {}, as_of=days[0]), book(owner, {}, as_of=days[1]), part=HALVES[0]),
        valued(run, book(owner, {}, as_of=days[2]), part=HALVES[1]),
    ]

    assessed = await risk.assess(*(inputs + books if inputs_first else books + inputs))

    told = {event.part.index: [headline.as_of for headline in event.headlines] for event in assessed}
    assert told == {0: days[:2], 1: days[2:]}


async def test_valued_part_waits_for_the_last_input(risk: Risk) -> None:
    run = make_run()
    *inputs, first, second = parts_of(run)

    await risk.deliver(first, second, *inputs[:2])
    assert await due_parts(risk, run) == []

    await risk.deliver(inputs[2])
    assert len(await due_parts(risk, run)) == 2


async def test_valued_part_waits_for_every_part_of_a_stream(risk: Risk) -> None:
    run = make_run()
    _, profiles, betas, *books = parts_of(run)

    await risk.deliver(profiles, betas, *books, priced(run, {}, part=HALVES[1]))
    assert await due_parts(risk, run) == []

    await risk.deliver(priced(run, {}, part=HALVES[0]))
    assert len(await due_parts(risk, run)) == 2


async def test_parts_delivered_twice_are_due_once(risk: Risk) -> None:
    run = make_run()

    await risk.deliver(*(part for part in reversed(parts_of(run)) for _ in range(2)))

    assert len(await due_parts(risk, run)) == 2


async def test_part_that_could_not_be_stored_closes_the_barrier(risk: Risk) -> None:
    run = make_run()
    prices, profiles, betas, *books = parts_of(run)
    await risk.deliver(*books, prices, profiles)

    async with risk.service.unit_of_work() as uow:
        await risk.fan_in.arrive_failed(betas, FAILURE, uow)

    assert len(await due_parts(risk, run)) == 2


async def test_what_failed_before_any_part_was_valued_is_said_by_the_first_of_them(risk: Risk) -> None:
    run = make_run()
    prices, profiles, betas, first, second = parts_of(run)
    await risk.deliver(prices, profiles)
    async with risk.service.unit_of_work() as uow:
        await risk.fan_in.arrive_failed(betas, FAILURE, uow)

    await risk.deliver(second, first)

    said = {event.part.index: event.failures for event in await risk.announced(RiskDue, run)}
    assert said == {0: (FAILURE,), 1: ()}


async def test_barrier_past_its_deadline_releases_the_books_and_those_that_come_late(risk: Risk) -> None:
    run = make_run()
    prices, *_, first, second = parts_of(run)
    await risk.deliver(prices, first)
    async with risk.service.unit_of_work() as uow:
        overdue = sa.text("UPDATE fan_in SET deadline_at = '-infinity' WHERE run_id = :run_id")
        await uow.connection.execute(overdue, {"run_id": run.run_id})

    async with risk.service.unit_of_work() as uow:
        assert await risk.fan_in.close_overdue(uow) == (run,)
    assert [part for part, _ in await due_parts(risk, run)] == [HALVES[0]]

    await risk.deliver(second)
    assert [part for part, _ in await due_parts(risk, run)] == list(HALVES)


async def test_valued_part_that_could_not_be_stored_is_announced_with_its_portfolios(risk: Risk) -> None:
    run = make_run()
    event = valued(run, *(book(owner, {}) for owner in PORTFOLIOS), part=HALVES[1])

    async with risk.service.unit_of_work() as uow:
        await report_failed_books(event, FAILURE, uow)

    (assessed,) = await risk.announced(PortfoliosAssessed, run)
    assert assessed.part == HALVES[1]
    assert {failure.subject for failure in assessed.failures} == {str(owner) for owner in PORTFOLIOS}
    assert {failure.detail for failure in assessed.failures} == {FAILURE.detail}


@pytest.mark.parametrize("portfolio_ids", [PORTFOLIOS, ()])
async def test_shard_that_could_not_be_assessed_is_announced_as_failed(
    risk: Risk, portfolio_ids: tuple[object, ...]
) -> None:
    run = make_run()
    event = RiskDue(run=run, part=HALVES[0], portfolio_ids=portfolio_ids)

    async with risk.service.unit_of_work() as uow:
        await report_failed_assessment(event, FAILURE, uow)

    (assessed,) = await risk.announced(PortfoliosAssessed, run)
    expected = {str(owner) for owner in portfolio_ids} or {FAILURE.subject}
    assert {failure.subject for failure in assessed.failures} == expected
