"""Messages that the broker deletes before they are read: nobody goes on behind them until they come again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus import consume
from shared.bus.asking import asking
from shared.bus.deleted import find_deleted, go_on_behind
from shared.bus.relay import OutboxRelay
from shared.contracts.event import Event
from shared.contracts.run import ONLY_PART
from shared.db.engine import plain_url
from shared.db.outbox import requeue
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.service import Service, running
from tests.integration.shared.test_service import _service
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, Behaviour, ProbeHappened, Script, Sender, follow_script, happened, make_topics
from tests.support.runs import make_run
from tests.support.stack import Servers, wanted_broker

pytestmark = pytest.mark.skipif(wanted_broker() != "kafka", reason="Tansu deletes nothing")

GROUP = "probe.follow_script"
ONLY = TopicPartition(ProbeHappened.topic, 0)


class ProbeDeleted(Event):
    """What comes in two partitions, of which one is deleted."""

    topic: ClassVar[str] = "probe.deleted"


async def test_consumer_waits_for_what_was_deleted_before_it_was_read_and_misses_none_of_it(
    servers: Servers, probe: ServiceDatabase, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, probe_topics: None
) -> None:
    first, missed, later = happened(), [happened(), happened()], happened()
    script, relay = Script(), _relay(servers, probe)
    async with _reading(servers, probe, script), _published(relay, unit_of_work, first):
        await eventually(_called(script, first))
    async with _published(relay, unit_of_work, *missed):
        pass
    await _delete_all(servers)
    async with _published(relay, unit_of_work, later):
        pass

    service = _service(servers, probe)
    service.consume(ProbeHappened, follow_script, script=script)
    async with running(service):
        (deleted,) = await find_deleted(servers.connection, [GROUP])
        assert service.consume.troubles() == [str(deleted)]
        assert f"{GROUP} waits: the broker has deleted messages " in str(deleted)
        assert deleted.stop - deleted.start == len(missed)
        assert service.consume.has_started
        assert script.calls == [first], "it has read nothing that was behind"

        # A process that looks again before somebody has decided waits on.
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == [str(deleted)]

        async with engine.begin() as connection:
            await requeue(connection, [], topics=[ProbeHappened.topic])
        await go_on_behind(servers.connection, deleted)
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == []
        for event in (*missed, later):
            await eventually(_called(script, event))
    assert sorted(str(event.event_id) for event in script.calls) == sorted(
        str(event.event_id) for event in (first, *missed, later)
    )


async def test_consumer_that_runs_waits_for_what_is_deleted_while_it_lags_and_misses_none_of_it(
    servers: Servers, probe: ServiceDatabase, unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, probe_topics: None
) -> None:
    first, missed, later = happened(), [happened(), happened()], happened()
    script, relay, service = Script(), _relay(servers, probe), _service(servers, probe)
    service.consume(ProbeHappened, follow_script, script=script)
    async with running(service):
        async with _published(relay, unit_of_work, first):
            await eventually(_called(script, first))
        _consumer(service).pause(ONLY)
        async with _published(relay, unit_of_work, *missed):
            pass
        await _delete_all(servers)
        async with _published(relay, unit_of_work, later):
            pass
        _consumer(service).resume(ONLY)

        await eventually(_waits(service))
        (deleted,) = await find_deleted(servers.connection, [GROUP])
        assert service.consume.troubles() == [str(deleted)]
        assert deleted.stop - deleted.start == len(missed)
        assert service.consume.has_started
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == [str(deleted)]
        assert later not in script.calls, "it has read nothing that was behind"

        async with engine.begin() as connection:
            await requeue(connection, [], topics=[ProbeHappened.topic])
        assert await go_on_behind(servers.connection, deleted), "it has left its group"
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == []
        async with _published(relay, unit_of_work):
            for event in (*missed, later):
                await eventually(_called(script, event))
    for event in (first, *missed, later):
        assert script.calls.count(event) == 1


async def test_consumer_that_was_given_nothing_behind_what_was_deleted_is_found_to_be_behind_it(
    servers: Servers, probe: ServiceDatabase, probe_topics: None
) -> None:
    quiet, busy = (TopicPartition(ProbeDeleted.topic, partition) for partition in (0, 1))
    group = f"{SERVICE}.follow_script"
    first, missed, beside, last = (ProbeDeleted(run=make_run(), part=ONLY_PART) for _ in range(4))
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    await make_topics(servers, ProbeDeleted.topic, f"{ProbeDeleted.topic}.dlq", partitions=2)
    script, service = Script(), _service(servers, probe)
    service.consume(ProbeDeleted, follow_script, script=script)
    async with running(service), AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers) as producer:
        sender = Sender(producer)
        await sender.event(first, partition=quiet.partition)
        await eventually(_called(script, first))
        consumer = _consumer(service)
        consumer.pause(quiet)
        await sender.event(missed, partition=quiet.partition)
        await admin.delete_records({quiet: RecordsToDelete(before_offset=-1)})
        consumer.resume(quiet)

        async def has_gone_on() -> bool:
            return bool(await consumer.position(quiet) == 2)

        await eventually(has_gone_on)
        await sender.event(beside, partition=busy.partition)
        await eventually(_called(script, beside))
        await eventually(_committed(service, busy, 1))

        await service.consume.look_again(servers.connection)
        (deleted,) = await find_deleted(servers.connection, [group])
        assert (deleted.partition, deleted.start, deleted.stop) == (0, 1, 2)
        assert service.consume.troubles() == [str(deleted)]

        await sender.event(missed, partition=quiet.partition)
        await sender.event(last, partition=busy.partition)
        assert await go_on_behind(servers.connection, deleted), "it has left its group"
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == []
        for event in (missed, last):
            await eventually(_called(script, event))
    await admin.close()
    assert len(script.calls) == 4


async def test_service_looks_by_itself_for_what_was_deleted_and_for_whether_it_may_go_on(
    servers: Servers,
    probe: ServiceDatabase,
    unit_of_work: UnitOfWorkFactory,
    probe_topics: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consume, "LOOK_PAUSE_S", 0.05)
    first, missed, last = happened(), happened(), happened()
    script, relay, service = Script(), _relay(servers, probe), _service(servers, probe)
    service.consume(ProbeHappened, follow_script, script=script)
    async with running(service):
        async with _published(relay, unit_of_work, first):
            await eventually(_called(script, first))
        consumer = _consumer(service)
        consumer.pause(ONLY)
        async with _published(relay, unit_of_work, missed):
            await _delete_all(servers)
        consumer.resume(ONLY)
        await eventually(_waits(service))

        (deleted,) = await find_deleted(servers.connection, [GROUP])
        assert await go_on_behind(servers.connection, deleted)
        async with _published(relay, unit_of_work, last):
            await eventually(_called(script, last))
        assert service.consume.troubles() == []
    assert script.calls == [first, last]


async def test_what_is_deleted_when_it_has_been_given_to_a_consumer_is_processed(
    servers: Servers, probe: ServiceDatabase, unit_of_work: UnitOfWorkFactory, probe_topics: None
) -> None:
    given, going_on = [happened(), happened()], [asyncio.Event(), asyncio.Event()]
    script, relay, service = Script(), _relay(servers, probe), _service(servers, probe)
    for event, goes_on in zip(given, going_on, strict=True):
        script.behaviours[event.run.run_id] = _until(goes_on)
    service.consume(ProbeHappened, follow_script, script=script)
    async with _published(relay, unit_of_work, *given), running(service):
        await eventually(_called(script, given[0]))
        await _delete_all(servers)
        for event, goes_on in zip(given, going_on, strict=True):
            await eventually(_called(script, event))
            assert await find_deleted(servers.connection, [GROUP])
            await service.consume.look_again(servers.connection)
            assert service.consume.troubles() == []
            goes_on.set()
        await eventually(_committed(service, ONLY, await _end(servers)))
        await service.consume.look_again(servers.connection)
        assert service.consume.troubles() == []


def _until(goes_on: asyncio.Event) -> Behaviour:
    async def wait(*_: Any) -> None:
        await goes_on.wait()

    return wait


async def _end(servers: Servers) -> int:
    async with asking(servers.connection) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets([ONLY])
    return ends[ONLY]


def _consumer(service: Service) -> Any:
    subscribers: Sequence[Any] = service.broker.subscribers
    (subscriber,) = subscribers
    return subscriber.consumer


def _waits(service: Service) -> Callable[[], Awaitable[bool]]:
    async def waits() -> bool:
        return bool(service.consume.troubles()) and _consumer(service) is None

    return waits


def _committed(service: Service, partition: TopicPartition, offset: int) -> Callable[[], Awaitable[bool]]:
    async def is_committed() -> bool:
        return bool(await _consumer(service).committed(partition) == offset)

    return is_committed


def _relay(servers: Servers, probe: ServiceDatabase) -> OutboxRelay:
    address = plain_url(probe.url(SERVICE).get_secret_value())
    return OutboxRelay(address, servers.connection, servers.broker_kind, service=SERVICE)


def _called(script: Script, event: Event) -> Callable[[], Awaitable[bool]]:
    async def called() -> bool:
        return event in script.calls

    return called


@asynccontextmanager
async def _reading(servers: Servers, probe: ServiceDatabase, script: Script) -> AsyncIterator[None]:
    service = _service(servers, probe)
    service.consume(ProbeHappened, follow_script, script=script)
    async with running(service):
        yield


@asynccontextmanager
async def _published(relay: OutboxRelay, unit_of_work: UnitOfWorkFactory, *events: Event) -> AsyncIterator[None]:
    async with unit_of_work() as uow:
        uow.emit(*events)
    relaying = asyncio.create_task(relay.run())

    async def sent() -> bool:
        async with unit_of_work.reading() as connection:
            waiting = await connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            return bool(waiting.scalar_one() == 0)

    await eventually(sent)
    try:
        yield
    finally:
        relaying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await relaying


async def _delete_all(servers: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    # -1 is the end.
    await admin.delete_records({ONLY: RecordsToDelete(before_offset=-1)})
    await admin.close()
