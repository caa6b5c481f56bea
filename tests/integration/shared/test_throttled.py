"""A broker that throttles its clients: what they do takes longer, and that is all."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.metadata import MetadataRequest

from services.ops.hosting.embedded.kafka_jars import find_kafka, jars_directory
from services.ops.hosting.embedded.process import run_tool
from shared.bus.asking import asking
from shared.contracts.event import Event
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.service import build_app
from tests.integration.shared.test_service import _asked, _service, _settings
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, ProbeHappened, Script, follow_script, happened
from tests.support.stack import Servers, wanted_broker

pytestmark = pytest.mark.skipif(wanted_broker() != "kafka", reason="quotas are set with Apache Kafka's own tool")

RELAY: Final = f"{SERVICE}.relay"
# In percent of the time of one thread: behind each request is a pause of up to a second. Some two events a second.
QUOTAS: Final = {RELAY: "request_percentage=0.1,producer_byte_rate=40000", SERVICE: "consumer_byte_rate=40000"}
EVENTS: Final = 12


async def test_throttled_service_is_slower_and_ready_and_sends_and_does_everything_once(
    servers: Servers, probe: ServiceDatabase, unit_of_work: UnitOfWorkFactory, probe_topics: None, bus_log: BusLog
) -> None:
    script, service = Script(), _service(servers, probe)
    service.consume(ProbeHappened, follow_script, script=script)
    before, events = await _end(servers), [_large(seed) for seed in range(EVENTS)]
    async with _asked(build_app([service], _settings(servers, probe), title="probe")) as api, _throttled(servers):
        said = set()
        for event in events:
            async with unit_of_work() as uow:
                uow.emit(event)

        async def is_throttled() -> bool:
            return await _throttle_ms(servers, RELAY) > 0

        async def all_have_come() -> bool:
            said.add((await api.get("/health/ready")).text)
            return len(_of(script, events)) >= len(events)

        await eventually(is_throttled)
        await eventually(all_have_come)
        sent = await _end(servers) - before
    assert said == {'{"status":"ready"}'}
    assert _of(script, events) == events, "in their order, each once"
    assert sent == len(events), "the relay has sent none twice"
    assert bus_log.of("relay interrupted") == []


def _large(seed: int) -> Event:
    drawn = random.Random(seed)  # noqa: S311 - what cannot be packed
    return happened(numbers=tuple(drawn.random() for _ in range(1_000)))


def _of(script: Script, events: list[Event]) -> list[Event]:
    wanted = {event.event_id for event in events}
    return [event for event in script.calls if event.event_id in wanted]


async def _end(servers: Servers) -> int:
    partition = TopicPartition(ProbeHappened.topic, 0)
    async with asking(servers.connection) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets([partition])
    return ends[partition]


async def _throttle_ms(servers: Servers, client_id: str) -> int:
    """Return for how long the broker lets a client of that name wait."""
    client = AIOKafkaClient(bootstrap_servers=servers.bootstrap_servers, client_id=client_id)
    await client.bootstrap()
    try:
        answer = await client.send(client.get_random_node(), MetadataRequest([ProbeHappened.topic]))
    finally:
        await client.close()
    return int(answer.throttle_time_ms)


@asynccontextmanager
async def _throttled(servers: Servers) -> AsyncIterator[None]:
    await asyncio.gather(*(_configure(servers, name, f"--add-config={quota}") for name, quota in QUOTAS.items()))
    try:
        yield
    finally:
        names = {name: re.sub("=[^,]+", "", quota) for name, quota in QUOTAS.items()}
        await asyncio.gather(*(_configure(servers, name, f"--delete-config={each}") for name, each in names.items()))


async def _configure(servers: Servers, client_id: str, change: str) -> None:
    kafka = find_kafka(jars_directory())
    tool = ("kafka.admin.ConfigCommand", "--bootstrap-server", servers.bootstrap_servers, "--alter", change)
    whose = ("--entity-type", "clients", "--entity-name", client_id)
    java = (str(kafka.java), "-XX:TieredStopAtLevel=1", "-cp", kafka.classpath)
    await run_tool("kafka-configs", (*java, *tool, *whose), Path.cwd())
