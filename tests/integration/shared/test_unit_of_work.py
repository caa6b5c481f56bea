import pytest
import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.run import ONLY_PART, Part
from shared.db.outbox import MAX_MESSAGE_BYTES, OutboxRow
from shared.db.unit_of_work import UnitOfWorkFactory
from tests.support.probe import ProbeFollowed, count
from tests.support.runs import make_run

_FACT = sa.text("INSERT INTO facts VALUES (:run_id, 0)")


async def test_unit_of_work_commits_facts_and_events_once_together(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    run = make_run()
    commits: list[object] = []

    def counted(connection: object) -> None:
        commits.append(connection)

    sa_event.listen(engine.sync_engine, "commit", counted)

    async with unit_of_work() as uow:
        await uow.connection.execute(_FACT, {"run_id": run.run_id})
        uow.emit(
            ProbeFollowed(run=run, part=Part(index=0, total=2)), ProbeFollowed(run=run, part=Part(index=1, total=2))
        )
        assert await count(engine, "facts", run) == 0

    sa_event.remove(engine.sync_engine, "commit", counted)
    assert len(commits) == 1
    assert (await count(engine, "facts", run), await count(engine, "outbox", run)) == (1, 2)


async def test_unit_of_work_that_raises_leaves_neither_facts_nor_events(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    run = make_run()

    async def fail() -> None:
        async with unit_of_work() as uow:
            await uow.connection.execute(_FACT, {"run_id": run.run_id})
            uow.emit(ProbeFollowed(run=run, part=ONLY_PART))
            await uow.flush()
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await fail()

    assert (await count(engine, "facts", run), await count(engine, "outbox", run)) == (0, 0)


async def test_reading_leaves_nothing_behind(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    run = make_run()

    async with unit_of_work.reading() as connection:
        await connection.execute(_FACT, {"run_id": run.run_id})

    assert await count(engine, "facts", run) == 0


async def test_outbox_is_written_in_statements_of_bounded_size(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    run, statements = make_run(), list[str]()

    def counted(*said: object) -> None:
        statements.append(str(said[2]))

    sa_event.listen(engine.sync_engine, "before_cursor_execute", counted)
    large = b"x" * (MAX_MESSAGE_BYTES - 1)
    async with unit_of_work.trying() as uow:
        for index in range(2_005):
            value = large if index % 400 == 0 else b""
            uow.post(OutboxRow("probe.followed", f"shard-{index}", value, {}, run.run_id))
        await uow.flush()
        query = sa.text("SELECT key FROM outbox WHERE run_id = :run_id ORDER BY id")
        keys = (await uow.connection.execute(query, {"run_id": run.run_id})).scalars().all()
    sa_event.remove(engine.sync_engine, "before_cursor_execute", counted)

    assert keys == [f"shard-{index}" for index in range(2_005)]
    # By their number the first 1,000 and the next, by their size no more than four large ones together.
    assert sum("INSERT INTO outbox" in statement for statement in statements) == 3


async def test_outbox_keeps_the_order_of_emission(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    run = make_run()
    async with unit_of_work() as uow:
        uow.emit(*(ProbeFollowed(run=run, part=Part(index=index, total=300)) for index in range(300)))

    async with engine.connect() as connection:
        query = sa.text("SELECT key FROM outbox WHERE run_id = :run_id ORDER BY id")
        keys = (await connection.execute(query, {"run_id": run.run_id})).scalars().all()
    assert keys == [f"shard-{index}" for index in range(300)]
