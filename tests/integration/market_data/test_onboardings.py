"""Runs that a service asks for itself: so many at once, the others when their turn comes."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from services.market_data.handlers.begin_onboardings import begin_onboardings
from services.market_data.handlers.plan_run import plan_run
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.onboarding_repository import OnboardingLimits
from shared.contracts.event import Event
from shared.contracts.market_data import MarketDataDue
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.scheduler import BatchCompleted, BatchTriggered, RunStatus
from shared.factor_set import FactorSet
from tests.integration.market_data.conftest import World
from tests.support.runs import make_run

LAST = date(2022, 12, 28)
TWO_AT_ONCE = OnboardingLimits(2, longest=timedelta(hours=1))


@pytest.fixture(autouse=True)
async def _nothing_under_way(world: World) -> None:
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE onboardings"))


def _run(world: World) -> Run:
    return make_run(first_session=LAST, last_session=LAST, symbols=(world.name("NEW"),))


async def _ask(world: World, event: Event, limits: OnboardingLimits = TWO_AT_ONCE) -> None:
    factor_set = FactorSet(**dict.fromkeys(FactorSet.model_fields) | {"market": world.market})
    async with world.service.unit_of_work() as uow:
        chain = ProviderChain(world.providers)
        await plan_run(event, uow, factor_set=factor_set, chain=chain, plans={}, onboardings=limits)


async def _onboard(world: World, run: Run, limits: OnboardingLimits = TWO_AT_ONCE) -> None:
    await _ask(world, SymbolsOnboarding(run=run, part=ONLY_PART), limits)


async def _end(world: World, run: Run, status: RunStatus = RunStatus.COMPLETED) -> None:
    ended = BatchCompleted.model_validate({"run": run, "part": ONLY_PART, "status": status, "stages": ()})
    async with world.service.unit_of_work() as uow:
        await begin_onboardings(ended, uow, onboardings=TWO_AT_ONCE)


async def _begun(world: World, *runs: Run) -> list[bool]:
    query = sa.text("SELECT count(*) FROM outbox WHERE topic = :topic AND run_id = :run_id")
    async with world.service.unit_of_work.reading() as connection:
        shards = [await connection.scalar(query, {"topic": MarketDataDue.topic, "run_id": run.run_id}) for run in runs]
    assert set(shards) <= {0, 1}, "handed out once"
    return [bool(count) for count in shards]


async def test_onboardings_beyond_those_at_once_wait_and_begin_in_their_order(world: World) -> None:
    runs = [_run(world) for _ in range(5)]
    for run in runs:
        await _onboard(world, run)
    assert await _begun(world, *runs) == [True, True, False, False, False]

    await _end(world, runs[1])
    assert await _begun(world, *runs) == [True, True, True, False, False]

    for run in (runs[0], runs[2]):
        await _end(world, run, RunStatus.FAILED)
    assert await _begun(world, *runs) == [True] * 5


async def test_run_of_the_scheduler_waits_for_nobody_and_keeps_nobody_waiting(world: World) -> None:
    first, second, night = _run(world), _run(world), _run(world)
    await _onboard(world, first)
    await _onboard(world, second)

    await _ask(world, BatchTriggered(run=night, part=ONLY_PART))
    assert await _begun(world, night) == [True]

    waiting = _run(world)
    await _onboard(world, waiting)
    await _end(world, night)
    assert await _begun(world, waiting) == [False]


async def test_onboarding_that_is_cancelled_while_it_waits_never_begins(world: World) -> None:
    runs = [_run(world) for _ in range(4)]
    for run in runs:
        await _onboard(world, run)

    await _end(world, runs[2], RunStatus.FAILED)
    await _end(world, runs[0])

    assert await _begun(world, *runs) == [True, True, False, True]


async def test_onboarding_whose_end_was_never_heard_of_holds_nobody_up_for_ever(world: World) -> None:
    for run in (_run(world), _run(world)):
        await _onboard(world, run)
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("UPDATE onboardings SET begun_at = begun_at - interval '61 minutes'"))

    later = _run(world)
    await _onboard(world, later)

    assert await _begun(world, later) == [True]
