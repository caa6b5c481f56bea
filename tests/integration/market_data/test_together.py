"""Many who ask for the same new symbol at once: it is fetched once, and everybody has it."""

import asyncio
from datetime import date

from tests.integration.market_data.conftest import Announced, World
from tests.support.runs import make_run

LAST = date(2022, 12, 28)
PEOPLE = 50
PROCESSES = 4  # each takes one message at a time


async def test_symbol_that_is_new_to_fifty_people_and_the_night_at_once_is_fetched_once(world: World) -> None:
    new, old = world.name("NEW"), world.name("OLD")
    world.directory.add(world.market, new, old, last=LAST)
    world.directory.write()
    (provider,) = world.providers
    await world.run(old, last=LAST)

    at_once = asyncio.Semaphore(PROCESSES)

    async def run(*symbols: str) -> Announced:
        async with at_once:
            return await world.run(*symbols, last=LAST)

    night, *people = await asyncio.gather(run(new, old), *(run(new) for _ in range(PEOPLE)))

    assert sum(new in symbols for symbols, _, _ in provider.asked) == 1
    assert all(announced.sessions_of(new)[-1] == LAST for announced in (*people, night))
    assert night.sessions_of(old)[-1] == LAST
    assert all(not announced.failures() for announced in (*people, night))
    sessions = [bar.session for bar in await world.bars(new)]
    assert len(sessions) == len(set(sessions))


async def test_who_finds_what_another_run_has_fetched_meanwhile_announces_all_of_it_too(world: World) -> None:
    # Whose announcement is read first nobody knows, and what is computed from either needs the history.
    new = world.name("NEW")
    world.directory.add(world.market, new, last=LAST)
    world.directory.write()
    (provider,) = world.providers
    one, other = (make_run(first_session=LAST, last_session=LAST, symbols=[new]) for _ in range(2))
    await world.plan(one)
    await world.plan(other)

    fetched, found = await world.fetch(one), await world.fetch(other)

    assert sum(new in symbols for symbols, _, _ in provider.asked) == 1
    assert len(fetched.sessions_of(new)) > 1
    assert found.sessions_of(new) == [*fetched.sessions_of(new)[-1:], *fetched.sessions_of(new)]
