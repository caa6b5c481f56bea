"""Consumers of a broker that answers as soon as there is something: while nothing comes, they let it wait for longer.

A fetch that waits costs nothing, and one that is answered with nothing costs both ends as much as any. A long wait
keeps up only what comes for a partition that a fetch left out, since the last message of it was in hand when it was
sent. So it is for consumers that have nothing in hand: their fetches are for all partitions.
"""

import asyncio

from aiokafka import AIOKafkaConsumer
from faststream.kafka import KafkaBroker

from shared.bus.doorbell import Doorbell, while_idle

# By then the last fetch that left out a partition has been answered.
PATIENT_AFTER_S = 2.0
# A consumer that is given other partitions asks for them when the fetch for those that it had has been answered.
PATIENT_WAIT_MS = 2_000


async def wait_while_idle(broker: KafkaBroker, bell: Doorbell) -> None:
    """Let each consumer of a broker wait for longer while nothing comes for its topics, until cancelled."""
    await while_idle(broker, bell, _wait, after_s=PATIENT_AFTER_S)


async def _wait(consumer: AIOKafkaConsumer, rung: asyncio.Event) -> None:
    # aiokafka has no other way to change it, nor to know of which partitions there are messages in hand.
    fetcher = consumer._fetcher
    if fetcher is None or fetcher._records:
        return
    usual = fetcher._fetch_max_wait_ms
    fetcher._fetch_max_wait_ms = PATIENT_WAIT_MS
    try:
        await rung.wait()
    finally:
        fetcher._fetch_max_wait_ms = usual
