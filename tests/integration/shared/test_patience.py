"""Consumers that let a broker wait: for longer while nothing comes, and never with a partition left out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import ConnectionGroup
from aiokafka.consumer import fetcher

from shared.bus import patience
from shared.bus.broker import CAPABILITIES, build_broker
from shared.bus.consume import Consume
from shared.bus.doorbell import doorbell
from shared.bus.patience import wait_while_idle
from shared.contracts.event import Event
from shared.contracts.run import ONLY_PART, Run
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.metrics.service_metrics import ServiceMetrics
from tests.support.eventually import eventually
from tests.support.probe import Script, Sender, follow_script, make_topics
from tests.support.runs import make_run
from tests.support.stack import Servers, wanted_broker

PATIENT_MS = 70
PARTITIONS = 4


class ProbeSpread(Event):
    """What comes on several partitions."""

    topic: ClassVar[str] = "probe.spread"


@dataclass(slots=True)
class Asking:
    """A consumer, what it has asked for with which wait, and who sends it messages."""

    script: Script
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    group: str
    usual_ms: int
    requests: list[tuple[int, int]] = field(default_factory=list)

    async def asks(self, wait_ms: int) -> None:
        """Wait until it asks with a wait, from now on."""
        begin = len(self.requests)

        async def asked() -> bool:
            return any(wait == wait_ms for wait, _ in self.requests[begin:])

        await eventually(asked)

    async def send(self, partition: int, run: Run | None = None) -> ProbeSpread:
        """Send it a message on a partition."""
        event = ProbeSpread(run=run or make_run(), part=ONLY_PART)
        await Sender(self.producer).event(event, partition=partition)
        return event

    async def has_processed(self, *sent: ProbeSpread) -> None:
        """Wait until it has processed messages."""

        async def processed() -> bool:
            return all(self.script.calls_of(event.run) for event in sent)

        await eventually(processed)


@pytest.fixture(scope="module")
async def asking(servers: Servers, unit_of_work: UnitOfWorkFactory, probe_topics: None) -> AsyncIterator[Asking]:
    await make_topics(servers, ProbeSpread.topic, partitions=PARTITIONS)
    script, metrics, capabilities = Script(), ServiceMetrics("probe_patient"), CAPABILITIES[servers.broker_kind]
    broker = build_broker(servers.connection, service=metrics.service, metrics=metrics)
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=capabilities)
    consume(ProbeSpread, follow_script, script=script)
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)
    await producer.start()

    async def knows_partitions() -> bool:
        # Kafka may tell of a topic that has just been made with the partitions that it knows by then.
        await producer.client.force_metadata_update()
        return len(await producer.partitions_for(ProbeSpread.topic)) == PARTITIONS

    await eventually(knows_partitions)
    built, requests = fetcher.FetchRequest, []

    def noted(wait_ms: int, *options: Any, **named: Any) -> Any:
        topics = options[-1]
        requests.append((wait_ms, sum(len(partitions) for _, partitions in topics)))
        return built(wait_ms, *options, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "PATIENT_AFTER_S", 0.01)
        patch.setattr(patience, "PATIENT_WAIT_MS", PATIENT_MS)
        patch.setattr(fetcher, "FetchRequest", noted)
        await consume.start(servers.connection)
        task = asyncio.create_task(wait_while_idle(broker, doorbell(servers.bootstrap_servers)))
        subscribers: Sequence[Any] = broker.subscribers
        (subscriber,) = subscribers
        usual_ms = capabilities.fetch_max_wait_ms
        yield Asking(script, producer, subscriber.consumer, subscriber.group_id, usual_ms, requests)

    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await broker.stop()
    await producer.stop()


async def test_consumer_waits_for_longer_when_nothing_has_come_and_as_usual_with_a_message_in_hand(
    asking: Asking,
) -> None:
    await asking.asks(PATIENT_MS)
    begin, goes_on = len(asking.requests), asyncio.Event()

    async def takes_long(_event: Event, _uow: UnitOfWork) -> None:
        await goes_on.wait()

    run = make_run()
    asking.script.behaviours[run.run_id] = takes_long
    await asking.has_processed(await asking.send(0, run))

    # The message in hand is that of one partition: what comes for it waits for the end of such a request.
    async def leaves_out_one() -> bool:
        return any(partitions < PARTITIONS for _, partitions in asking.requests[begin:])

    await eventually(leaves_out_one)
    goes_on.set()

    assert {wait for wait, partitions in asking.requests[begin:] if partitions < PARTITIONS} == {asking.usual_ms}
    await asking.asks(PATIENT_MS)


async def test_no_long_wait_leaves_out_a_partition(asking: Asking) -> None:
    for round_ in range(12):
        await asking.asks(PATIENT_MS)
        sent = [await asking.send((round_ + number) % PARTITIONS) for number in range(1 + round_ % 4)]
        await asking.has_processed(*sent)

    assert {partitions for wait, partitions in asking.requests if wait == PATIENT_MS} == {PARTITIONS}


@pytest.mark.skipif(wanted_broker() != "kafka", reason="on Tansu consumers rest")
async def test_consumer_whose_group_is_joined_lets_go_of_what_it_waits_for(
    asking: Asking, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    await asking.asks(PATIENT_MS)
    begin, waited_on = len(asking.requests), _fetching(asking.consumer)
    group = {"group_id": asking.group, "bootstrap_servers": servers.bootstrap_servers, "fetch_max_wait_ms": 1}
    async with AIOKafkaConsumer(ProbeSpread.topic, **group):

        async def shares() -> bool:
            return len(asking.consumer.assignment()) < PARTITIONS

        await eventually(shares)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert not waited_on.connected(), "Kafka answers a connection in turn"
    assert asking.usual_ms in {wait for wait, _ in asking.requests[begin:]}


def _fetching(consumer: AIOKafkaConsumer) -> Any:
    (connection,) = (
        connection for (_, group), connection in consumer._client._conns.items() if group == ConnectionGroup.DEFAULT
    )
    return connection
