"""Declaring the consumers of a service."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from opentelemetry.trace import NoOpTracer, Tracer

from shared.bus.broker import Capabilities, start_broker
from shared.bus.connection import Connection
from shared.bus.consumer import Consumer, FailureReport, Handler, Outcome, RetryPolicy, consumer_name
from shared.bus.dead_letters import run_of
from shared.bus.decoding import letter_of
from shared.bus.deleted import Deleted, find_deleted, groups_of
from shared.bus.doorbell import doorbell
from shared.bus.patience import LettingGo
from shared.bus.progress import Progress, ReadPastError
from shared.contracts.event import Event
from shared.db.slots import Slots
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import is_transient
from shared.metrics.catalogue import EVENT_RETRIES, EVENTS
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import log_context
from shared.together import together

log = structlog.get_logger("bus")

# A handler that computes for longer than this loses its partitions to another process, which does the same again.
MAX_POLL_INTERVAL_MS = 600_000
# How often a consumer looks whether there is something to ask for; whatever happens to it makes it look at once.
LOOK_AROUND_MS = 10_000
# For all services 0.05 CPU seconds of ours and 0.15 of Kafka's.
LOOK_PAUSE_S = 25.0
PAUSES_OF_A_LOOK = 12


class Consume:
    """Declares the consumers of a service: ``consume(PricesUpdated, store_prices, panel=panel)``."""

    def __init__(
        self,
        broker: KafkaBroker,
        unit_of_work: UnitOfWorkFactory,
        *,
        metrics: ServiceMetrics,
        capabilities: Capabilities,
        policy: RetryPolicy | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._broker = broker
        self._unit_of_work = unit_of_work
        self._service = metrics.service
        self._capabilities = capabilities
        self._policy = policy or RetryPolicy()
        self._metrics = metrics
        self._tracer = tracer or NoOpTracer()
        self.consumers: list[Consumer] = []
        self._deleted: list[Deleted] = []
        self._progress: dict[str, Progress] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._letting_go: dict[str, LettingGo] = {}
        # Set when a consumer cannot go on in this process.
        self.given_up = asyncio.Event()

    def __call__(
        self,
        event_types: type[Event] | tuple[type[Event], ...],
        handler: Handler,
        *,
        on_failure: FailureReport | None = None,
        at_once: int | None = None,
        **resources: Any,
    ) -> Consumer:
        """Bind a handler to one event type, or to several that it treats alike.

        Parameters
        ----------
        event_types : type of Event or tuple of types
            What the handler reads.
        handler : coroutine function
            Called with the event, the unit of work and `resources`; its name names the consumer group.
        on_failure : coroutine function, optional
            Announces in the dead letter's transaction what the failed event would have led to.
        at_once : int, optional
            How many messages the handler may work on at once, in all processes together. A process takes one at a
            time, and as many processes share the work as the topic has partitions.
        """
        types = event_types if isinstance(event_types, tuple) else (event_types,)
        named = {event_type.topic: event_type for event_type in types}
        consumer = Consumer(
            service=self._service,
            event_types=named,
            handler=handler,
            resources=resources,
            report_failure=on_failure,
            unit_of_work=self._unit_of_work,
            policy=self._policy,
            metrics=self._metrics,
            tracer=self._tracer,
            given_up=self.given_up,
            slots=None if at_once is None else Slots(consumer_name(self._service, handler), at_once),
        )
        self._make_known(consumer)
        for topic, event_type in named.items():
            # Each topic is read by itself: one that has to wait does not hold up the others.
            group = consumer.name if len(named) == 1 else f"{consumer.name}.{topic}"
            self._subscribe((topic,), group, consumer.deliver, payload=event_type)
        self.consumers.append(consumer)
        return consumer

    async def start(self, connection: Connection) -> None:
        """Start the consumers, but those whose messages were deleted before they were read: they wait for somebody."""
        bell = doorbell(connection.bootstrap_servers)
        for group, letting_go in self._letting_go.items():
            letting_go.bind(self._subscribers[group], bell)
        self._let_wait(await self._find_deleted(connection))
        await start_broker(self._broker, but=self._waiting)

    async def look_again(self, connection: Connection) -> None:
        """Start the consumers that waited and may go on; let those wait whose messages have been deleted meanwhile."""
        found = await self._find_deleted(connection)
        await asyncio.gather(*self._leaving)
        behind = [each for each in found if each.group not in self._waiting and await self._is_behind(each)]
        waited = self._waiting
        self._deleted = [each for each in found if each.group in waited]
        self._let_wait(behind)
        await together(*(self._subscribers[group].stop() for group in self._waiting - waited))
        await together(*(self._subscribers[group].start() for group in waited - self._waiting))

    async def keep_looking(self, connection: Connection) -> None:
        """Look again after a while, sooner if somebody waits.

        Who is given a message behind what was deleted sees that; to look is for who is given none, and costs Kafka.
        """
        for _ in range(PAUSES_OF_A_LOOK):
            await asyncio.sleep(LOOK_PAUSE_S)
            if self._deleted:
                break
        await self.look_again(connection)

    def _let_wait(self, deleted: Sequence[Deleted]) -> None:
        self._deleted += deleted
        for each in deleted:
            log.critical("a consumer waits", why=str(each))

    async def _is_behind(self, deleted: Deleted) -> bool:
        consumer = self._subscribers[deleted.group].consumer
        return consumer is not None and await self._progress[deleted.group].is_behind(consumer, deleted)

    async def _find_deleted(self, connection: Connection) -> list[Deleted]:
        return await find_deleted(connection, groups_of(self._broker)) if self._capabilities.deletes else []

    @property
    def _subscribers(self) -> dict[str, Any]:
        subscribers: Sequence[Any] = self._broker.subscribers
        return {each.group_id: each for each in subscribers}

    @property
    def _waiting(self) -> frozenset[str]:
        return frozenset(deleted.group for deleted in self._deleted)

    @property
    def has_started(self) -> bool:
        """Whether every consumer runs that may."""
        waiting = self._waiting
        return all(each.running or group in waiting for group, each in self._subscribers.items())

    def troubles(self) -> list[str]:
        """Return which consumers wait or pause, since when and why."""
        breakers = ((consumer.name, breaker) for consumer in self.consumers for breaker in consumer.breakers.values())
        pausing = [f"{name} {breaker.trouble}" for name, breaker in breakers if breaker.trouble is not None]
        return [*map(str, self._deleted), *pausing]

    def stuck(self) -> list[str]:
        """Return which consumers have been at one message for so long that the broker has given up on them."""
        after_s = MAX_POLL_INTERVAL_MS / 1000.0
        return [topic for consumer in self.consumers for topic in consumer.stuck(after_s=after_s)]

    def _make_known(self, consumer: Consumer) -> None:
        # A rate of what has never happened is 0, not missing.
        self._metrics.add(EVENT_RETRIES, consumer.name, amount=0)
        for topic in consumer.event_types:
            for outcome in Outcome:
                self._metrics.add(EVENTS, consumer.name, topic, outcome, amount=0)

    def letters(self, topics: tuple[str, ...], handler: Handler, **resources: Any) -> None:
        """Bind a handler to raw messages, which need not be events, such as dead letters."""
        group = consumer_name(self._service, handler)

        async def deliver(message: KafkaMessage) -> None:
            letter = letter_of(message)
            with log_context(service=self._service, consumer=group, topic=letter.topic, run=run_of(letter)):
                try:
                    async with self._unit_of_work() as uow:
                        await handler(letter, uow, **resources)
                except Exception as error:
                    if is_transient(error):
                        log.warning("left for redelivery", offset=letter.offset, error=repr(error))
                        await asyncio.sleep(self._policy.longest_pause_s)
                        raise
                    # The message stays on its topic: there are no dead letters of dead letters.
                    log.exception("letter handler failed", offset=letter.offset)

        self._subscribe(topics, group, deliver, payload=bytes)

    def _subscribe(self, topics: tuple[str, ...], group: str, deliver: Handler, *, payload: Any) -> None:
        progress = self._progress[group] = Progress(group)

        async def on_message(message: KafkaMessage) -> None:
            if not self._capabilities.deletes:
                await deliver(message)
                return
            try:
                async with progress.reading(subscriber.consumer, message.raw_message):
                    await deliver(message)
            except ReadPastError as error:
                self._leave(subscriber, error.deleted)
                raise

        listener = None
        if not self._capabilities.consumers_rest:
            listener = self._letting_go[group] = LettingGo()
        # FastStream documents the payload from the annotation.
        on_message.__annotations__ = {"message": payload, "return": None}
        subscriber: Any = self._broker.subscriber(
            *topics,
            group_id=group,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._capabilities.fetch_max_wait_ms,
            session_timeout_ms=self._capabilities.session_timeout_ms,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            consumer_timeout_ms=LOOK_AROUND_MS,
            listener=listener,
            title=group,
        )
        subscriber(on_message)

    def _leave(self, subscriber: Any, deleted: Deleted) -> None:
        if deleted.group in self._waiting:
            return
        self._let_wait([deleted])
        # It cannot wait for the end of what it is in.
        leaving = asyncio.create_task(subscriber.stop())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
