"""Declaring the consumers of a service."""

import asyncio
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from opentelemetry.trace import NoOpTracer, Tracer

from shared.bus.broker import Capabilities
from shared.bus.consumer import Consumer, FailureReport, Handler, Outcome, RetryPolicy, consumer_name
from shared.bus.dead_letters import run_of
from shared.bus.decoding import letter_of
from shared.contracts.event import Event
from shared.db.slots import Slots
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import is_transient
from shared.metrics.catalogue import EVENT_RETRIES, EVENTS
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import log_context

log = structlog.get_logger("bus")

# A handler that computes for longer than this loses its partitions to another process, which does the same again.
MAX_POLL_INTERVAL_MS = 600_000


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

    def troubles(self) -> list[str]:
        """Return which consumers pause, since when and why."""
        breakers = ((consumer.name, breaker) for consumer in self.consumers for breaker in consumer.breakers.values())
        return [f"{name} {breaker.trouble}" for name, breaker in breakers if breaker.trouble is not None]

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
        async def on_message(message: KafkaMessage) -> None:
            await deliver(message)

        # FastStream documents the payload from the annotation.
        on_message.__annotations__ = {"message": payload, "return": None}
        self._broker.subscriber(
            *topics,
            group_id=group,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._capabilities.fetch_max_wait_ms,
            session_timeout_ms=self._capabilities.session_timeout_ms,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            title=group,
        )(on_message)
