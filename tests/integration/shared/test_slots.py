"""Slots on real PostgreSQL: never more at once than there are, whoever holds them, and free again whatever happens."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import build_engine
from shared.db.slots import Slots
from shared.db.unit_of_work import UnitOfWorkFactory
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE

# A process that takes a slot and keeps it until it is killed.
HOLDER = """
import asyncio, sys
from pydantic import SecretStr
from shared.db.slots import Slots
from shared.db.unit_of_work import one_transaction

async def hold():
    async with one_transaction(SecretStr(sys.argv[1]), service="probe") as connection:
        await Slots(sys.argv[2], 1).take(connection)
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture(scope="module")
async def many_connections(probe: ServiceDatabase) -> AsyncIterator[UnitOfWorkFactory]:
    engine = build_engine(probe.url(SERVICE), service=SERVICE, pool_size=20)
    yield UnitOfWorkFactory(engine, source=SERVICE)
    await engine.dispose()


async def _is_waited_for(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        waiting = await connection.scalar(
            sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        )
    return bool(waiting)


async def _take_and_release(unit_of_work: UnitOfWorkFactory, name: str) -> None:
    async with unit_of_work() as uow:
        await Slots(name, 1).take(uow.connection)


@pytest.mark.parametrize("count", [1, 3, 10])
async def test_slots_are_never_held_by_more_than_there_are_and_all_who_wait_get_one(
    many_connections: UnitOfWorkFactory, engine: AsyncEngine, count: int
) -> None:
    slots = Slots(f"work of {count}", count)
    inside: set[int] = set()
    most: list[int] = []
    full = asyncio.Event()

    async def work(number: int) -> None:
        async with many_connections() as uow:
            await slots.take(uow.connection)
            inside.add(number)
            most.append(len(inside))
            await full.wait()
            inside.remove(number)

    working = [asyncio.create_task(work(number)) for number in range(count + 5)]

    async def all_are_taken() -> bool:
        return len(inside) == count and await _is_waited_for(engine)

    await eventually(all_are_taken)
    full.set()
    await asyncio.gather(*working)

    assert len(most) == count + 5
    assert max(most) == count


async def test_slots_of_other_work_are_others(many_connections: UnitOfWorkFactory) -> None:
    async with many_connections() as one, many_connections() as other:
        await Slots("one", 1).take(one.connection)
        await Slots("other", 1).take(other.connection)


async def test_slot_of_work_that_failed_is_free(many_connections: UnitOfWorkFactory) -> None:
    async def fail() -> None:
        async with many_connections() as uow:
            await Slots("failing", 1).take(uow.connection)
            raise RuntimeError("in the slot")

    with pytest.raises(RuntimeError, match="in the slot"):
        await fail()
    await _take_and_release(many_connections, "failing")


async def test_slot_is_held_against_other_processes_and_free_when_its_process_is_killed(
    probe: ServiceDatabase, many_connections: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    url = probe.url(SERVICE).get_secret_value()
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url, "killed", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        taking = asyncio.create_task(_take_and_release(many_connections, "killed"))
        await eventually(lambda: _is_waited_for(engine))
        assert not taking.done()
    finally:
        holder.kill()
        await holder.wait()
    await taking
