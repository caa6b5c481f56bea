"""How far the bus of a service is behind, at the moment of a scrape."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import AsyncConnection

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


async def read_lag(broker: KafkaBroker, *, within_s: float) -> list[Reading]:
    """Return how far each consumer is behind in the partitions that it has; nothing where the broker doesn't answer."""
    subscribers: Sequence[Any] = broker.subscribers
    running = [subscriber for subscriber in subscribers if subscriber.consumer is not None]
    lags = await asyncio.gather(*(_lag(subscriber.consumer, within_s) for subscriber in running))
    return [
        Reading(CONSUMER_LAG, behind, (subscriber.group_id, topic))
        for subscriber, lag in zip(running, lags, strict=True)
        for topic, behind in sorted(lag.items())
    ]


async def _lag(consumer: AIOKafkaConsumer, within_s: float) -> Mapping[str, int]:
    # The broker is asked: what the consumer itself has heard is as old as the oldest message that it has fetched.
    lag: Counter[str] = Counter()
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(within_s):
            for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                lag[partition.topic] += max(end - await consumer.position(partition), 0)
    return lag
