"""The outbox relay on a real broker: order, failover, wake-up, rows that the broker will never take."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC
from functools import partial
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.broker import BrokerKind, Producer, build_producer
from shared.bus.connection import Connection
from shared.bus.forerunner import lock_forerunner
from shared.bus.relay import OutboxRelay
from shared.contracts.run import After, Part, Run
from shared.db.engine import plain_url
from shared.db.outbox import BEGINNING, END, LET_PACK, MAX_MESSAGE_BYTES, OutboxRow, list_kept
from shared.db.unit_of_work import UnitOfWorkFactory
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, ProbeDue, ProbeFollowed, Topic, make_topics
from tests.support.refusing import Refusing
from tests.support.runs import make_run
from tests.support.stack import Servers


@pytest.fixture
async def published(servers: Servers, probe_topics: None) -> AsyncIterator[Topic]:
    topic = Topic(ProbeFollowed.topic, servers.bootstrap_servers)
    yield topic
    await topic.close()


class Relays:
    """Relays of the probe's outbox, each with a name that the database knows it by."""

    def __init__(self, servers: Servers, probe: ServiceDatabase) -> None:
        self._servers = servers
        self._url = plain_url(probe.url(SERVICE).get_secret_value())
        self.admin_url = probe.admin_url

    def build(self, **settings: float) -> OutboxRelay:
        kind = self._servers.broker_kind
        relay = OutboxRelay(self._url, self._servers.connection, kind, service=SERVICE)
        for name, value in settings.items():
            setattr(relay, name, value)
        return relay

    @asynccontextmanager
    async def running(self, **settings: float) -> AsyncIterator[OutboxRelay]:
        relay = self.build(**settings)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def relays(servers: Servers, probe: ServiceDatabase, engine: AsyncEngine, probe_topics: None) -> Relays:
    # A relay that was cancelled may have sent what it had not marked: it belongs to the test before.
    async with engine.begin() as connection:
        await connection.execute(sa.text("TRUNCATE outbox"))
    return Relays(servers, probe)


async def _outbox(engine: AsyncEngine, run: Run) -> list[Any]:
    query = sa.text(
        "SELECT id, tableoid::regclass::text AS part, created_at, published_at, error "
        "FROM outbox WHERE run_id = :run_id ORDER BY id"
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query, {"run_id": run.run_id})).all())


async def _settled(engine: AsyncEngine, run: Run) -> bool:
    rows = await _outbox(engine, run)
    return bool(rows) and all(row.published_at is not None or row.error is not None for row in rows)


def _row(run: Run, *, key: str, value: bytes) -> OutboxRow:
    return OutboxRow(ProbeFollowed.topic, key, value, {"ce_subject": f"{run.run_id}/0"}, run.run_id)


async def test_relay_with_two_thousand_rows_keeps_the_order_of_each_key(
    relays: Relays, unit_of_work: UnitOfWorkFactory, published: Topic
) -> None:
    run = make_run()
    for start in range(0, 2000, 400):
        async with unit_of_work() as uow:
            for number in range(start, start + 400):
                uow.post(_row(run, key=f"key-{number % 7}", value=str(number).encode()))

    async with relays.running():

        async def all_there() -> bool:
            return len(await published.of(run)) >= 2000

        await eventually(all_there)

    pairs = [((record.key or b"").decode(), int(record.value or b"")) for record in await published.of(run)]
    by_key = {
        key: [number for _, number in group]
        for key, group in groupby(sorted(pairs, key=lambda p: p[0]), lambda p: p[0])
    }
    assert by_key == {f"key-{k}": list(range(k, 2000, 7)) for k in range(7)}


@pytest.mark.parametrize("may_pack", [False, True])
async def test_large_value_is_packed_once_code_of_before_has_ended_and_published_as_it_was_written(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, published: Topic, may_pack: bool
) -> None:
    run, large = make_run(), b'{"values": [' + b"0.0123456789, " * 5_000 + b"0]}"
    async with engine.begin() as connection:
        await connection.execute(sa.text(LET_PACK if may_pack else "COMMENT ON TABLE outbox IS NULL"))
    async with unit_of_work() as uow:
        uow.post(_row(run, key="large", value=large))
        # A header of somebody's message that looks like ours.
        uow.post(replace(_row(run, key="small", value=b"{}"), headers={"outbox-packed": "zlib", "other": "said"}))
    async with engine.connect() as connection:
        kept = await list_kept(connection, [ProbeFollowed.topic], after=(BEGINNING, 0), until=END, limit=9)
        query = sa.text("SELECT octet_length(value) FROM outbox ORDER BY id")
        stored = (await connection.execute(query)).scalars().all()

    async with relays.running():

        async def all_there() -> bool:
            return len(await published.of(run)) >= 1

        await eventually(all_there)
        await eventually(lambda: _settled(engine, run))

    (record,) = await published.of(run)
    assert record.value == large
    assert [name for name, _ in record.headers] == ["ce_subject", "ce_time"]
    assert [each.row.value for each in kept] == [large, b"{}"]
    assert [each.row.headers for each in kept] == [{"ce_subject": f"{run.run_id}/0"}, {"other": "said"}]
    assert stored[0] < len(large) / 20 if may_pack else stored[0] == len(large)


async def test_relay_killed_is_succeeded_by_the_one_that_stands_by(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    first_run, orphaned = make_run(), make_run()
    async with (
        relays.running(reconnect_pause_s=60.0, standby_poll_s=0.05) as first,
        relays.running(reconnect_pause_s=60.0, standby_poll_s=0.05) as second,
    ):
        async with unit_of_work() as uow:
            uow.emit(ProbeFollowed(run=first_run, part=Part(index=0, total=1)))
        # What is marked is counted a moment later.
        await eventually(lambda: _sent(first, second, 1))
        assert await _settled(engine, first_run)
        leader, successor = (first, second) if first.sent else (second, first)

        await _kill_the_leader(engine)
        async with unit_of_work() as uow:
            uow.emit(ProbeFollowed(run=orphaned, part=Part(index=0, total=1)))
        await eventually(lambda: _sent(first, second, 2))
        assert await _settled(engine, orphaned)
        assert (leader.sent, successor.sent) == (1, 1)


async def _sent(first: OutboxRelay, second: OutboxRelay, rows: int) -> bool:
    return first.sent + second.sent >= rows


async def _kill_the_leader(engine: AsyncEngine) -> None:
    query = sa.text(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
        "AND a.application_name = 'probe.relay'"
    )
    async with engine.connect() as connection:
        assert (await connection.execute(query)).scalars().all() == [True]


async def test_relay_that_polls_once_a_day_publishes_when_notified(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    async with relays.running(idle_poll_s=86_400.0):
        for _ in range(3):
            run = make_run()
            async with unit_of_work() as uow:
                uow.emit(ProbeFollowed(run=run, part=Part(index=0, total=1)))
            await eventually(partial(_settled, engine, run))


async def test_relay_parks_a_row_that_is_too_large_and_goes_on(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, published: Topic
) -> None:
    run = make_run()
    async with unit_of_work() as uow:
        uow.post(_row(run, key="a", value=b"before"))
        uow.post(_row(run, key="a", value=b"x" * (MAX_MESSAGE_BYTES + 1)))
        uow.post(_row(run, key="a", value=b"behind"))

    async with relays.running():
        await eventually(lambda: _settled(engine, run))

        async def two() -> bool:
            return len(await published.of(run)) == 2

        await eventually(two)

    before, parked, behind = await _outbox(engine, run)
    assert before.error is None
    assert behind.error is None
    assert behind.published_at is not None
    assert parked.published_at is None
    assert "MessageSizeTooLargeError" in parked.error
    assert [record.value for record in await published.of(run)] == [b"before", b"behind"]


async def test_relay_keeps_what_it_has_published_in_the_partition_of_the_day(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    run = make_run()
    async with unit_of_work() as uow:
        uow.emit(*(ProbeFollowed(run=run, part=Part(index=index, total=3)) for index in range(3)))

    async with relays.running():
        await eventually(lambda: _settled(engine, run))

    rows = await _outbox(engine, run)
    assert len(rows) == 3
    assert {row.part for row in rows} == {f"outbox_{row.created_at.astimezone(UTC):%Y%m%d}" for row in rows}


async def test_relay_drops_partitions_that_are_older_than_what_is_kept(relays: Relays, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            sa.text(
                "CREATE TABLE outbox_20200101 PARTITION OF outbox "
                "FOR VALUES FROM ('2020-01-01T00:00:00Z') TO ('2020-01-02T00:00:00Z')"
            )
        )

    async def old_is_gone() -> bool:
        async with engine.connect() as connection:
            return await connection.scalar(sa.text("SELECT to_regclass('outbox_20200101')")) is None

    async with relays.running():
        await eventually(old_is_gone)


async def test_relay_keeps_an_old_partition_while_something_in_it_is_not_published(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, published: Topic
) -> None:
    run = make_run()
    async with engine.begin() as connection:
        await connection.execute(
            sa.text(
                "CREATE TABLE outbox_20200201 PARTITION OF outbox "
                "FOR VALUES FROM ('2020-02-01T00:00:00Z') TO ('2020-02-02T00:00:00Z')"
            )
        )
        await connection.execute(
            sa.text(
                "INSERT INTO outbox (created_at, run_id, topic, key, value, headers) "
                "VALUES ('2020-02-01T12:00:00Z', :run_id, :topic, 'k', 'late', CAST(:headers AS jsonb))"
            ),
            {"run_id": run.run_id, "topic": ProbeFollowed.topic, "headers": f'{{"ce_subject": "{run.run_id}/0"}}'},
        )

    async with relays.running():

        async def sent() -> bool:
            return [record.value for record in await published.of(run)] == [b"late"]

        await eventually(sent)


async def test_relay_whose_broker_is_away_stops_and_keeps_what_it_has_not_sent(
    relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, stopping, run = asyncio.Event(), asyncio.Event(), make_run()

    class Away(Producer):
        """A producer that waits for its broker for ever, also when it is told to stop."""

        async def start(self) -> None:
            """Be ready."""

        async def partitions_for(self, _: str) -> set[int]:
            """Promise something."""
            sending.set()
            await asyncio.Event().wait()
            return set()

        async def stop(self) -> None:
            """Flush."""
            self._closed = True
            stopping.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("shared.bus.relay.build_producer", lambda *_, **__: Away())
    async with unit_of_work() as uow:
        uow.post(_row(run, key="a", value=b"1"))
    async with relays.running(stop_within_s=0.01):
        await sending.wait()
    assert stopping.is_set()
    assert [row.published_at for row in await _outbox(engine, run)] == [None]


async def test_relay_that_does_not_find_its_broker_leaves_nothing_open_behind_and_looks_again(
    relays: Relays, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Producer] = []

    def built(_: Connection, kind: BrokerKind, *, service: str) -> Producer:
        tried.append(build_producer(Connection("127.0.0.1:1"), kind, service=service))
        return tried[-1]

    monkeypatch.setattr("shared.bus.relay.build_producer", built)
    async with relays.running(reconnect_pause_s=0.0):

        async def has_looked_again() -> bool:
            return len(tried) > 1

        await eventually(has_looked_again)
        first, *_ = tried
    assert first._closed


async def test_row_that_only_stood_for_a_run_to_come_is_forgotten(relays: Relays, engine: AsyncEngine) -> None:
    run, begun = make_run(), make_run()
    uow_engine = UnitOfWorkFactory(engine, source=SERVICE)
    async with uow_engine() as uow:
        for awaited in (run, begun):
            await lock_forerunner(uow.connection, "forgotten", After(run_id=awaited.run_id))
        await uow.connection.execute(
            sa.text("UPDATE fan_in SET deadline_at = now() WHERE run_id = :run_id"), {"run_id": begun.run_id}
        )
    query = sa.text("SELECT run_id FROM fan_in WHERE stage = 'forgotten'")
    async with relays.running():

        async def one_is_left() -> bool:
            async with engine.connect() as connection:
                return list((await connection.execute(query)).scalars()) == [begun.run_id]

        await eventually(one_is_left)


def _rows(run: Run, topic: str, *, rows: int) -> Iterator[OutboxRow]:
    for number in range(rows):
        yield replace(_row(run, key=f"key-{number % 7}", value=str(number).encode()), topic=topic)


@pytest.mark.parametrize("says_so", [True, False])
async def test_topic_that_refuses_more_than_is_taken_at_once_holds_up_no_other(
    relays: Relays,
    unit_of_work: UnitOfWorkFactory,
    engine: AsyncEngine,
    published: Topic,
    monkeypatch: pytest.MonkeyPatch,
    says_so: bool,
) -> None:
    refused, healthy = make_run(), make_run()
    broker = Refusing(published.name, says_so=says_so)
    monkeypatch.setattr("shared.bus.relay.build_producer", broker.producer)
    async with unit_of_work() as uow:
        for row in _rows(refused, published.name, rows=600):
            uow.post(row)
        uow.post(replace(_row(healthy, key="a", value=b"1"), topic=ProbeDue.topic))

    async with relays.running(patience_s=1.0) as relay:
        await eventually(lambda: _settled(engine, healthy))
        assert {row.published_at for row in await _outbox(engine, refused)} == {None}
        (trouble,) = relay.troubles()
        assert trouble.startswith(f"probe's relay: {published.name} refuses messages since 2")
        broker.is_over.set()
        await eventually(lambda: _settled(engine, refused))
        assert relay.troubles() == []

    async def all_there() -> bool:
        return len(await published.of(refused)) >= 600

    await eventually(all_there)
    assert [int(record.value or b"") for record in await published.of(refused)] == list(range(600))


async def test_what_is_behind_a_refused_batch_does_not_overtake_it(
    relays: Relays,
    unit_of_work: UnitOfWorkFactory,
    engine: AsyncEngine,
    published: Topic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, broker = make_run(), Refusing(published.name, says_so=True)
    # The second of many batches, and nothing after it.
    broker.spared, broker.refused = 1, 1
    monkeypatch.setattr("shared.bus.relay.build_producer", broker.producer)
    async with unit_of_work() as uow:
        for row in _rows(run, published.name, rows=400):
            uow.post(replace(row, value=row.value.ljust(500)))

    async with relays.running():
        await eventually(lambda: _settled(engine, run))

    async def all_there() -> bool:
        return len(await published.of(run)) >= 400

    await eventually(all_there)
    assert broker.refused == 0
    assert [int(record.value or b"") for record in await published.of(run)] == list(range(400))


async def test_topic_that_is_not_there_holds_up_no_other(
    servers: Servers, relays: Relays, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    if servers.broker_kind is not BrokerKind.KAFKA:
        pytest.skip("Tansu makes topics for who asks for them")
    refused, healthy, topic = make_run(), make_run(), f"absent-{uuid4()}"
    async with unit_of_work() as uow:
        for row in _rows(refused, topic, rows=600):
            uow.post(row)
        uow.post(_row(healthy, key="a", value=b"1"))

    async with relays.running(patience_s=1.0) as relay:
        await eventually(lambda: _settled(engine, healthy))
        assert {row.published_at for row in await _outbox(engine, refused)} == {None}

        async def says_why() -> bool:
            return [trouble.rpartition(" ")[2] for trouble in relay.troubles()] == ["UnknownTopicOrPartitionError"]

        await eventually(says_why)
        await make_topics(servers, topic)
        await eventually(lambda: _settled(engine, refused))

    made = Topic(topic, servers.bootstrap_servers)

    async def all_there() -> bool:
        return len(await made.of(refused)) >= 600

    await eventually(all_there)
    assert [int(record.value or b"") for record in await made.of(refused)] == list(range(600))
    await made.close()
