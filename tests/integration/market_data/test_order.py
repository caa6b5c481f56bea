"""What a provider said last is what is stored, and every bar is announced with how new it is."""

import asyncio
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import FetchedBars
from shared.clock import FixedClock, SessionClock
from tests.integration.market_data.conftest import NOW, Announced, AskedProvider, World
from tests.support.eventually import eventually
from tests.support.runs import make_run

LAST = date(2022, 12, 28)
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class SlowProvider(AskedProvider):
    """Has read its answer, and gives it when it is let."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.has_read, self.let_go = asyncio.Event(), asyncio.Event()

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Read, and wait."""
        answer = await super().fetch_bars(symbols, first, last)
        self.has_read.set()
        await self.let_go.wait()
        return answer


def stock(world: World, symbol: str) -> str:
    name = world.name(symbol)
    world.directory.add(world.market, name, last=LAST)
    world.directory.write()
    return name


def revision_of(announced: Announced, symbol: str, session: date = LAST) -> int:
    (found,) = {
        block.revisions[block.symbols.index(symbol)][block.sessions.index(session)]
        for block in announced.blocks
        if symbol in block.symbols and session in block.sessions
    }
    return found


async def test_answer_that_was_read_earlier_replaces_none_that_was_read_later(world: World) -> None:
    name = stock(world, "SLOW")
    slow, quick = SlowProvider(world.directory.path), AskedProvider(world.directory.path)
    runs = [make_run(first_session=LAST, last_session=LAST, symbols=(name,)) for _ in range(2)]
    dues = [(await world.plan(run))[0] for run in runs]

    async def fetch(number: int, provider: AskedProvider) -> None:
        async with world.service.unit_of_work() as uow:
            clock = SessionClock(FixedClock(NOW))
            await fetch_shard(dues[number], uow, chain=ProviderChain([provider]), clock=clock)

    old = asyncio.ensure_future(fetch(0, slow))
    await slow.has_read.wait()
    world.directory.closes[name][LAST] += 1.0
    world.directory.write()
    new = asyncio.ensure_future(fetch(1, quick))
    await eventually(partial(_is_done_or_waits, world, new))
    slow.let_go.set()
    await asyncio.gather(old, new)

    assert (await world.bars(name))[-1].close == world.directory.closes[name][LAST]
    first, second = [await world.announced(run) for run in runs]
    assert revision_of(first, name) < revision_of(second, name)


async def _is_done_or_waits(world: World, task: "asyncio.Future[None]") -> bool:
    async with world.service.engine.connect() as connection:
        return task.done() or bool(await connection.scalar(sa.text(_WAITING)))


async def test_bar_is_announced_with_the_same_revision_until_it_changes(world: World) -> None:
    name = stock(world, "SAME")
    first = await world.run(name, last=LAST)
    again = await world.run(name, last=LAST)
    world.directory.closes[name][LAST] += 1.0
    world.directory.write()
    changed = await world.run(name, last=LAST)

    assert 0 < revision_of(first, name) == revision_of(again, name) < revision_of(changed, name)
    assert revision_of(first, world.market) == revision_of(changed, world.market)
