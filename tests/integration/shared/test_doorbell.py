"""Consumers that rest: woken by who publishes, found out by a look otherwise, on a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.bus import doorbell as resting
from shared.bus.broker import CAPABILITIES, BrokerKind, build_broker, start_broker
from shared.bus.connection import Connection
from shared.bus.consume import Consume
from shared.bus.doorbell import Doorbell, doorbell, rest_while_idle
from shared.bus.relay import OutboxRelay
from shared.db.engine import plain_url
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.metrics.service_metrics import ServiceMetrics
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, ProbeDue, ProbeFollowed, ProbeHappened, Script, Sender, follow_script, happened
from tests.support.stack import Servers

NEVER_S = 3600.0


@dataclass(slots=True)
class Resting:
    """A consumer that rests as soon as it may, and who sends it messages from elsewhere."""

    script: Script
    sender: Sender
    bell: Doorbell
    consumer: AIOKafkaConsumer

    async def asleep(self) -> None:
        """Wait until it does not ask for anything."""

        async def paused() -> bool:
            return bool(self.consumer.assignment()) and self.consumer.paused() == self.consumer.assignment()

        await eventually(paused)

    async def has_processed(self, *sent: ProbeHappened) -> None:
        """Wait until it has processed messages."""

        async def processed() -> bool:
            return all(self.script.calls_of(event.run) for event in sent)

        await eventually(processed)
        assert [len(self.script.calls_of(event.run)) for event in sent] == [1] * len(sent)


@pytest.fixture(scope="module")
async def idle(servers: Servers, unit_of_work: UnitOfWorkFactory, probe_topics: None) -> AsyncIterator[Resting]:
    script, metrics = Script(), ServiceMetrics("probe_resting")
    broker = build_broker(servers.connection, service=metrics.service, metrics=metrics)
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=CAPABILITIES[servers.broker_kind])
    consume(ProbeHappened, follow_script, script=script)
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)
    await producer.start()
    await start_broker(broker)
    subscribers: Sequence[Any] = broker.subscribers
    task = asyncio.create_task(rest_while_idle(broker, doorbell(servers.bootstrap_servers)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resting, "LINGER_S", 0.01)
        yield Resting(script, Sender(producer), doorbell(servers.bootstrap_servers), subscribers[0].consumer)

    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await broker.stop()
    await producer.stop()


async def test_consumer_that_never_looks_is_woken_by_the_bell_and_rests_again(
    idle: Resting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "LOOK_EVERY_S", NEVER_S)
    for _ in range(3):
        await idle.asleep()
        event = happened()
        await idle.sender.event(event)
        idle.bell.ring([ProbeHappened.topic])
        await idle.has_processed(event)


async def test_what_is_sent_from_elsewhere_is_found_by_looking_and_nothing_is_lost(
    idle: Resting, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It rests too shortly between two looks to be seen at it: the first look tells that it does.
    looks, looked = resting._look, asyncio.Event()

    async def noted(consumer: AIOKafkaConsumer) -> None:
        looked.set()
        await looks(consumer)

    monkeypatch.setattr(resting, "_look", noted)
    monkeypatch.setattr(resting, "LOOK_EVERY_S", 0.001)
    idle.bell.ring([ProbeHappened.topic])
    await looked.wait()
    events = [happened() for _ in range(50)]
    for event in events:
        await idle.sender.event(event)
        await asyncio.sleep(0)
    await idle.has_processed(*events)


async def test_relays_of_every_process_ring_for_what_one_of_them_has_published(
    servers: Servers, probe: ServiceDatabase, probe_topics: None, unit_of_work: UnitOfWorkFactory
) -> None:
    address = plain_url(probe.url(SERVICE).get_secret_value())
    # A doorbell is that of an address: the two of one broker stand for two processes.
    here, there = servers.bootstrap_servers, servers.bootstrap_servers.replace("127.0.0.1", "localhost")
    relays = [OutboxRelay(address, Connection(broker), BrokerKind.TANSU, service=SERVICE) for broker in (here, there)]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    await eventually(partial(_listen, probe, len(relays)))
    event, followed = happened(), [ProbeFollowed.topic]
    with doorbell(here).at(followed) as rung, doorbell(there).at(followed) as heard, _untouched(here, there):
        async with unit_of_work() as uow:
            uow.emit(ProbeFollowed(run=event.run, part=event.part))
        await rung.wait()
        await heard.wait()

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_relay_that_was_cut_off_rings_for_what_it_may_have_missed(
    servers: Servers, probe: ServiceDatabase, probe_topics: None
) -> None:
    # Connections of the test before may still be ending: one of them would be taken for this one's.
    await eventually(partial(_listen, probe, 0))
    address = plain_url(probe.url(SERVICE).get_secret_value())
    relay = OutboxRelay(address, Connection(servers.bootstrap_servers), BrokerKind.TANSU, service=SERVICE)
    relay.reconnect_pause_s = 0.01
    task = asyncio.create_task(relay.run())
    await eventually(partial(_listen, probe, 1))
    with doorbell(servers.bootstrap_servers).at([ProbeFollowed.topic]) as rung:
        connection = await asyncpg.connect(probe.admin_url)

        async def cut_off() -> bool:
            # Again, if it was not the relay that was there.
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
            await connection.execute(ended, f"{SERVICE}.relay")
            assert not task.done(), task
            return rung.is_set()

        await eventually(cut_off)
        await connection.close()

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_relay_goes_on_after_what_the_driver_says_of_a_connection_that_ended_between_two_steps(
    servers: Servers, probe: ServiceDatabase, probe_topics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = plain_url(probe.url(SERVICE).get_secret_value())
    relay = OutboxRelay(address, Connection(servers.bootstrap_servers), BrokerKind.TANSU, service=SERVICE)
    relay.reconnect_pause_s = 0.01
    flush, failed = relay.flush, asyncio.Event()

    async def fails_once(*given: Any) -> int:
        if failed.is_set():
            return await flush(*given)
        failed.set()
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    monkeypatch.setattr(relay, "flush", fails_once)
    task = asyncio.create_task(relay.run())
    with doorbell(servers.bootstrap_servers).at([ProbeFollowed.topic]) as rung:

        async def goes_on() -> bool:
            assert not task.done(), task
            return failed.is_set() and rung.is_set()

        await eventually(goes_on)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _listen(probe: ServiceDatabase, relays: int) -> bool:
    """Tell whether so many relays have gone on to something else after they began to listen."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1 AND query <> '' AND query NOT LIKE 'LISTEN%'
    """
    connection = await asyncpg.connect(probe.admin_url)
    try:
        listening: int = await connection.fetchval(query, f"{SERVICE}.relay")
        return listening == relays
    finally:
        await connection.close()


@contextlib.contextmanager
def _untouched(*brokers: str) -> Iterator[None]:
    """Make sure that nobody rings for a topic that nothing was published to."""
    with contextlib.ExitStack() as held:
        elsewhere = [held.enter_context(doorbell(broker).at([ProbeDue.topic])) for broker in brokers]
        yield
        assert not any(event.is_set() for event in elsewhere)
