"""What the bus counts of messages, and how far behind it says it is, on a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker

from shared.bus.broker import CAPABILITIES, build_broker, start_broker
from shared.bus.connection import Connection
from shared.bus.consume import Consume
from shared.bus.consumer import Outcome, RetryPolicy
from shared.bus.gauges import read_lag, read_outbox
from shared.bus.relay import OutboxRelay
from shared.contracts.event import Event
from shared.db.engine import plain_url
from shared.db.outbox import OutboxRow
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.errors import PoisonEvent, TransientError
from shared.metrics.catalogue import CONSUMER_LAG, OUTBOX_AGE, OUTBOX_PENDING
from shared.metrics.service_metrics import ServiceMetrics
from tests.support.databases import ServiceDatabase
from tests.support.eventually import PATIENCE_S, eventually
from tests.support.probe import SERVICE, ProbeFollowed, ProbeHappened, Script, Sender, follow_script, happened
from tests.support.runs import make_run
from tests.support.stack import Servers

POLICY = RetryPolicy(attempts=2, first_pause_s=0.01, longest_pause_s=0.05)
MEASURED = "probe_measured"
CONSUMER = f"{MEASURED}.follow_script"


@dataclass(slots=True)
class Measured:
    """A consumer, and what is counted of it."""

    script: Script
    sender: Sender
    broker: KafkaBroker
    connection: Connection
    metrics: ServiceMetrics

    async def pass_by(self) -> None:
        """Wait until everything sent so far has been dealt with, and counted."""
        sentinel = happened()
        await self.sender.event(sentinel)
        in_hand = {"app_name": MEASURED, "broker": "kafka", "handler": ProbeHappened.topic}

        async def passed() -> bool:
            if not self.script.calls_of(sentinel.run):
                return False
            return self.value("faststream_received_messages_in_process", **in_hand) == 0

        await eventually(passed)

    def outcomes(self) -> dict[str, float]:
        """Return how many messages came to which end."""
        labels = {"service": MEASURED, "consumer": CONSUMER, "topic": ProbeHappened.topic}
        return {outcome: self.value("sigmasight_events_total", outcome=outcome, **labels) for outcome in Outcome}

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a series."""
        value = self.metrics.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value


@pytest.fixture(scope="module")
async def measured(servers: Servers, unit_of_work: UnitOfWorkFactory, probe_topics: None) -> AsyncIterator[Measured]:
    script, metrics = Script(), ServiceMetrics(MEASURED)
    broker = build_broker(servers.connection, service=MEASURED, metrics=metrics)
    capabilities = CAPABILITIES[servers.broker_kind]
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=capabilities, policy=POLICY)
    consume(ProbeHappened, follow_script, script=script)
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)
    await producer.start()
    await start_broker(broker)

    yield Measured(script, Sender(producer), broker, servers.connection, metrics)

    await broker.stop()
    await producer.stop()


async def test_every_end_of_a_message_is_counted_and_every_attempt_that_failed(measured: Measured) -> None:
    await measured.pass_by()
    before = measured.outcomes()
    labels = {"service": MEASURED, "consumer": CONSUMER}
    retries = measured.value("sigmasight_event_retries_total", **labels)
    timed = measured.value("sigmasight_event_seconds_count", **labels)
    twice, poison, outage = happened(), happened(), happened()

    async def refuse(*_: object) -> None:
        raise PoisonEvent("never")

    async def fail_at_first(failed: Event, _: UnitOfWork) -> None:
        if len(measured.script.calls_of(failed.run)) <= POLICY.attempts:
            raise TransientError("the world failed")

    measured.script.behaviours[poison.run.run_id] = refuse
    measured.script.behaviours[outage.run.run_id] = fail_at_first
    await measured.sender.event(twice, repeat=2)
    await measured.sender.event(poison)
    await measured.sender.raw(ProbeHappened.topic, b"no event", headers={})
    await measured.sender.event(outage)
    await measured.pass_by()

    after = measured.outcomes()
    # The last one that was processed tells that the others are through.
    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {
        Outcome.PROCESSED: 3,
        Outcome.DUPLICATE: 1,
        Outcome.DEAD_LETTER: 2,
        Outcome.REDELIVERY: 1,
        Outcome.CANCELLED: 0,
    }
    assert measured.value("sigmasight_event_retries_total", **labels) - retries == 1
    assert measured.value("sigmasight_event_seconds_count", **labels) - timed == sum(after.values()) - sum(
        before.values()
    )


async def test_consumer_is_behind_by_what_waits_behind_the_message_in_hand(measured: Measured) -> None:
    await measured.pass_by()
    holding, let_go = happened(), asyncio.Event()

    async def hold(*_: object) -> None:
        await let_go.wait()

    measured.script.behaviours[holding.run.run_id] = hold
    await measured.sender.event(holding)
    for _ in range(3):
        await measured.sender.event(happened())

    async def lag() -> list[float]:
        readings = await read_lag(measured.broker, measured.connection, within_s=PATIENCE_S)
        assert {(reading.metric, reading.labels) for reading in readings} == {
            (CONSUMER_LAG, (CONSUMER, ProbeHappened.topic))
        }
        return [reading.value for reading in readings]

    async def behind_by(messages: int) -> bool:
        return await lag() == [messages]

    try:
        assert await eventually(lambda: behind_by(3))
    finally:
        let_go.set()
    assert await eventually(lambda: behind_by(0))


async def test_outbox_tells_what_waits_and_the_relay_what_it_has_published(
    servers: Servers, probe: ServiceDatabase, unit_of_work: UnitOfWorkFactory, probe_topics: None
) -> None:
    run, metrics = make_run(), ServiceMetrics(SERVICE)
    address = plain_url(probe.url(SERVICE).get_secret_value())
    relay = OutboxRelay(address, servers.connection, servers.broker_kind, service=SERVICE, metrics=metrics)

    async def waiting() -> dict[str, float]:
        async with unit_of_work.reading() as connection:
            return {reading.metric.name: reading.value for reading in await read_outbox(connection)}

    async def published() -> bool:
        # What is marked is counted a moment later.
        counted = metrics.registry.get_sample_value("sigmasight_relay_published_total", sent) or 0
        return (await waiting())[OUTBOX_PENDING.name] == 0 and counted >= 3

    sent = {"service": SERVICE, "topic": ProbeFollowed.topic}
    async with unit_of_work() as uow:
        for number in range(3):
            uow.post(OutboxRow(ProbeFollowed.topic, "key", str(number).encode(), {}, run.run_id))
    before = await waiting()
    relaying = asyncio.create_task(relay.run())
    try:
        await eventually(published)
    finally:
        relaying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await relaying

    assert before[OUTBOX_PENDING.name] >= 3
    assert before[OUTBOX_AGE.name] > 0
    assert (await waiting())[OUTBOX_AGE.name] == 0
    assert metrics.registry.get_sample_value("sigmasight_relay_parked_total", {"service": SERVICE}) == 0
    assert (metrics.registry.get_sample_value("sigmasight_relay_seconds_sum", {"service": SERVICE}) or 0) > 0
