"""Building brokers, and the one place that knows what a broker can't do."""

import asyncio
import contextlib
import dataclasses
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ProducerClosed, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code
from aiokafka.partitioner import DefaultPartitioner
from faststream import AckPolicy, ContextRepo
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.prometheus import KafkaPrometheusMiddleware

from shared.bus.access import Needs, check_access
from shared.bus.connection import BrokerRefuses, Connection
from shared.bus.doorbell import Ringing, doorbell
from shared.bus.progress import OnlyThis
from shared.contracts.catalogue import TopicLayout, all_topics
from shared.db.outbox import MAX_MESSAGE_BYTES
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import FASTSTREAM_LOGGER
from shared.together import together

# How long a stopping consumer may go on with the message in hand.
GRACEFUL_TIMEOUT_S = 20.0


_SHARD = re.compile(rb"shard-(\d+)")
_HASHED = DefaultPartitioner()


class BrokerKind(StrEnum):
    """Which implementation of the Kafka protocol is at the other end."""

    KAFKA = "kafka"
    TANSU = "tansu"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between brokers.

    Attributes
    ----------
    idempotent_producer : bool
        Tansu answers InitProducerId with an error.
    fetch_max_wait_ms : int
        Kafka answers a waiting fetch as soon as there is data for it; what comes for a partition that was left out of
        it, since its messages were in hand, waits for as long. Tansu looks again only after a fraction of the wait.
    session_timeout_ms : int
        A process that gets no processor for so long leaves its groups in the middle of a message, and one that was
        killed is missed for so long. Tansu lets who joins a group wait for half of it.
    deletes : bool
        Tansu keeps what it has for as long as it runs; Kafka deletes what is old, whether it was read or not.
    consumers_rest : bool
        Asking for nothing costs Tansu as much as asking for something (`shared.bus.doorbell`).
    """

    idempotent_producer: bool
    fetch_max_wait_ms: int
    session_timeout_ms: int
    consumers_rest: bool
    deletes: bool


CAPABILITIES = {
    BrokerKind.KAFKA: Capabilities(
        idempotent_producer=True, fetch_max_wait_ms=500, session_timeout_ms=30_000, consumers_rest=False, deletes=True
    ),
    BrokerKind.TANSU: Capabilities(
        idempotent_producer=False, fetch_max_wait_ms=50, session_timeout_ms=10_000, consumers_rest=True, deletes=False
    ),
}


def build_broker(connection: Connection, *, service: str, metrics: ServiceMetrics | None = None) -> KafkaBroker:
    """Return the service's broker; consumers are declared with `shared.bus.consume.Consume` only."""
    registry = (metrics or ServiceMetrics(service)).registry
    return KafkaBroker(
        connection.bootstrap_servers,
        security=connection.security(),
        sasl_oauth_token_provider=connection.tokens,
        client_id=service,
        # Topics are made by `create_topics`, and the relay publishes: no consumer needs a right to do either.
        consumer_only=True,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        graceful_timeout=GRACEFUL_TIMEOUT_S,
        parser=_parse,
        # Handlers receive the message as it came; decoding and its errors belong to `Consume`.
        decoder=_leave_encoded,
        apply_types=False,
        context=ContextRepo(),
        middlewares=(
            KafkaPrometheusMiddleware(registry=registry, app_name=service),
            partial(Ringing, bell=doorbell(connection.bootstrap_servers)),
        ),
        logger=logging.getLogger(FASTSTREAM_LOGGER),
        log_level=logging.DEBUG,
        request_timeout_ms=40_000,
    )


async def _parse(record: ConsumerRecord, original: Callable[[ConsumerRecord], Awaitable[KafkaMessage]]) -> KafkaMessage:
    # FastStream decodes header values as UTF-8 and fails on null or binary ones before any handler sees the message.
    headers = tuple((name, (value or b"").decode(errors="replace").encode()) for name, value in record.headers)
    message = await original(dataclasses.replace(record, headers=headers))
    message.consumer = OnlyThis(message.consumer, record)
    return message


async def _leave_encoded(message: KafkaMessage) -> KafkaMessage:
    return message


async def start_broker(broker: KafkaBroker, *, but: Collection[str] = ()) -> None:
    """Connect and start every consumer at once, but those of some groups: one after the other, each costs seconds."""
    await broker.connect()
    subscribers: Sequence[Any] = broker.subscribers
    await together(*(subscriber.start() for subscriber in subscribers if subscriber.group_id not in but))


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """The relay's producer: every replica acknowledges, retries don't duplicate where the broker can tell."""

    async def leave(self, *, within_s: float) -> None:
        """Stop, and let go of what is not sent by then: it would be tried for as long as the process lives."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.stop()
                return
        if self._sender.sender_task is not None:
            self._sender.sender_task.cancel()
        self._message_accumulator.fail_all(ProducerClosed())
        await self.client.close()


def build_producer(
    connection: Connection, kind: BrokerKind, *, service: str, patience_s: float | None = None
) -> Producer:
    """Return the relay's producer.

    Parameters
    ----------
    connection : Connection
        How the broker is reached.
    kind : BrokerKind
        What it can do.
    service : str
        Whose messages.
    patience_s : float, optional
        After how long it says why something is not taken; by default it goes on for ever where that does not duplicate.
    """
    options: dict[str, Any] = {"enable_idempotence": True} if CAPABILITIES[kind].idempotent_producer else {}
    if patience_s is not None:
        options = {"request_timeout_ms": max(round(patience_s * 1000), 1)}
    return Producer(
        **connection.options(),
        client_id=f"{service}.relay",
        acks="all",
        linger_ms=2,
        compression_type="zstd",
        max_request_size=MAX_MESSAGE_BYTES,
        partitioner=spread,
        **options,
    )


def spread(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Return the partition of a message: the parts of a stage go round, so that all processes get as many of them.

    Hashed, the first three parts of every stage are the same process's of two, and six of the first eight. What is
    keyed by something else is hashed.
    """
    shard = _SHARD.fullmatch(key or b"")
    if shard is not None:
        return sorted(partitions)[int(shard[1]) % len(partitions)]
    hashed: int = _HASHED(key, partitions, available)
    return hashed


def _topic(name: str, layout: TopicLayout) -> NewTopic:
    configuration = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    if layout.min_insync_replicas > 1:
        configuration["min.insync.replicas"] = str(layout.min_insync_replicas)
    return NewTopic(
        name=name,
        num_partitions=layout.partitions_of.get(name, layout.partitions),
        replication_factor=layout.replication_factor,
        topic_configs=configuration,
    )


async def create_topics(connection: Connection, layout: TopicLayout) -> tuple[str, ...]:
    """Create the topics that are missing and return their names.

    Raises
    ------
    BrokerRefuses
        If we are not let in, or may not.
    """
    await check_access(connection, Needs())
    admin = AIOKafkaAdminClient(**connection.options())
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = tuple(topic for topic in all_topics() if topic not in existing)
        if missing:
            response = await admin.create_topics([_topic(name, layout) for name in missing])
            _raise_refusals(response.topic_errors, connection)
        return missing
    finally:
        await admin.close()


def _raise_refusals(outcomes: Iterable[tuple[Any, ...]], connection: Connection) -> None:
    for name, code, *_ in outcomes:
        if code == TopicAuthorizationFailedError.errno:
            who = connection.username or "who we are"
            raise BrokerRefuses(f"{who} may not create topic {name}; deploy/kafka/acls.sh lets KAFKA_USERNAME=migrate")
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise for_code(code)(name)
