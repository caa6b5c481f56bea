"""How far the bus of a service is behind, at the moment of a scrape."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.bus.asking import asking
from shared.bus.connection import Connection
from shared.metrics.catalogue import CONSUMER_LAG, OUTBOX_AGE, OUTBOX_PENDING
from shared.metrics.service_metrics import Reading

_PENDING = sa.text(
    """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM outbox
    WHERE published_at IS NULL AND error IS NULL
    """
)


async def read_outbox(connection: AsyncConnection) -> Sequence[Reading]:
    """Return how many messages wait for the relay, and for how long."""
    pending, age_s = (await connection.execute(_PENDING)).one()
    return Reading(OUTBOX_PENDING, pending), Reading(OUTBOX_AGE, float(age_s))


async def read_lag(broker: KafkaBroker, connection: Connection, *, within_s: float) -> list[Reading]:
    """Return how far each consumer is behind in the partitions that it has; nothing where the broker doesn't answer."""
    subscribers: Sequence[Any] = broker.subscribers
    running = [subscriber for subscriber in subscribers if subscriber.consumer is not None]
    lags: list[Mapping[str, int]] = []
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(within_s):
            ends = await _ends([subscriber.consumer for subscriber in running], connection)
            lags = [await _lag(subscriber.consumer, ends) for subscriber in running]
    return [
        Reading(CONSUMER_LAG, behind, (subscriber.group_id, topic))
        for subscriber, lag in zip(running, lags, strict=False)
        for topic, behind in sorted(lag.items())
    ]


async def _ends(consumers: Sequence[AIOKafkaConsumer], connection: Connection) -> Mapping[TopicPartition, int]:
    # The broker is asked: what a consumer itself has heard is as old as the oldest message that it has fetched. On a
    # connection of its own: on theirs an answer waits behind the one that waits for messages, for half a second.
    partitions = sorted({partition for consumer in consumers for partition in consumer.assignment()})
    if not partitions:
        return {}
    async with asking(connection) as consumer:
        # They are its own, so that it knows at once where all of them are, and it does not read any.
        consumer.assign(partitions)
        consumer.pause(*partitions)
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
    return ends


async def _lag(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> Mapping[str, int]:
    lag: Counter[str] = Counter()
    for partition in consumer.assignment() & ends.keys():
        lag[partition.topic] += max(ends[partition] - await consumer.position(partition), 0)
    return lag
