"""Consumers of a broker that answers as soon as there is something: while nothing comes, they let it wait for longer.

A fetch that waits costs nothing, and one that is answered with nothing costs both ends as much as any. A long wait
keeps up only what comes for a partition that a fetch left out, since the last message of it was in hand when it was
sent. So it is for consumers that have nothing in hand: their fetches are for all partitions.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.fetch import FetchRequest
from faststream.kafka import KafkaBroker

from shared.bus.doorbell import Doorbell, while_idle

# By then the last fetch that left out a partition has been answered.
PATIENT_AFTER_S = 2.0
PATIENT_WAIT_MS = 10_000


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


class LettingGo(ConsumerRebalanceListener):  # type: ignore[misc]
    """Breaks off what a consumer waits for when the partitions of its group are given out anew.

    Kafka answers a connection in turn: what it asks of those that it is given would wait behind that.
    """

    def __init__(self) -> None:
        self._bound: tuple[Any, Doorbell] | None = None

    def bind(self, subscriber: Any, bell: Doorbell) -> None:
        """Tell it whose wait it breaks off, and who rings for that."""
        self._bound = subscriber, bell

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Ask as usual from now on, on a new connection."""
        if self._bound is None or not revoked:
            return
        subscriber, bell = self._bound
        # Until others are given out it asks for those that it had.
        bell.ring(subscriber.topic_names_for_subscribe)
        await asyncio.sleep(0)
        for (_, group), connection in list(subscriber.consumer._client._conns.items()):
            if group == ConnectionGroup.DEFAULT:
                _break_off(connection)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Go on: it asks for them by itself."""


def _break_off(connection: Any) -> None:
    # A fetch ends as if it had been cancelled, which is no error; anything else is asked for again.
    for _, request, answer in connection._requests:
        if request is not None and request.API_KEY == FetchRequest.API_KEY:
            answer.cancel()
    connection.close()
