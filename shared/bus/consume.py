"""The delivery composition: decode, once, retried; what can't be processed goes to the dead letters.

What becomes of a message is decided by the class of the exception (`shared.errors`). A message is acknowledged
only when its transaction, or that of its dead letter, has committed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial, reduce
from operator import or_
from typing import Any
from uuid import UUID

import structlog
from faststream import AckPolicy
from faststream.exceptions import StopConsume
from faststream.kafka import KafkaBroker, KafkaMessage
from opentelemetry.trace import NoOpTracer, Status, StatusCode, Tracer
from pydantic import ValidationError
from structlog.contextvars import bind_contextvars, get_contextvars

from shared.bus.broker import Capabilities
from shared.bus.cancelled_runs import is_cancelled
from shared.bus.dead_letters import (
    ADDRESSEE_HEADER,
    MAX_DETAIL,
    REPLAY_HEADER,
    SERVICE_HEADER,
    Letter,
    dead_letter,
    is_sent_again,
    run_of,
    settlement,
    storable,
)
from shared.bus.inbox import first_time_seen
from shared.contracts.catalogue import is_work
from shared.contracts.event import Event, Failure
from shared.db.slots import Slots
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.errors import InvalidEvent, is_poison, is_transient
from shared.metrics.catalogue import EVENT_RETRIES, EVENT_SECONDS, EVENTS
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import log_context
from shared.tracing import consuming

log = structlog.get_logger("bus")

Handler = Callable[..., Awaitable[None]]
FailureReport = Callable[[Any, Failure, UnitOfWork], Awaitable[None]]


class Outcome(StrEnum):
    """What became of a message."""

    PROCESSED = "processed"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    DEAD_LETTER = "dead_letter"
    REDELIVERY = "redelivery"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and with which pauses a message is tried before it is left or set aside.

    A transient failure is tried `attempts` times in place and then left for redelivery, for ever; a bug is tried
    `attempts` times and then set aside. `dead_letter_limit` in a row stops the consumer: if everything is suddenly
    poison, the fault is ours.
    """

    attempts: int = 3
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    dead_letter_limit: int = 25

    def pause_s(self, attempt: int) -> float:
        """Return the pause after the given attempt (from 1), with jitter so that consumers don't retry in step."""
        ceiling = min(self.longest_pause_s, self.first_pause_s * 2.0 ** (attempt - 1))
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing


@dataclass(slots=True)
class Consumer:
    """One handler with its own consumer group."""

    service: str
    event_types: dict[str, type[Event]]
    handler: Handler
    resources: dict[str, Any]
    report_failure: FailureReport | None
    unit_of_work: UnitOfWorkFactory
    policy: RetryPolicy
    metrics: ServiceMetrics
    tracer: Tracer
    slots: Slots | None = None
    dead_letters_in_a_row: int = field(default=0)

    @property
    def name(self) -> str:
        """The consumer group."""
        return _group(self.service, self.handler)

    async def deliver(self, message: KafkaMessage) -> None:
        """Process one message to its end: committed, set aside, or raised so that it is delivered again."""
        letter = _letter(message)
        # The run is what the headers claim, until the event has been read.
        with log_context(service=self.service, consumer=self.name, topic=letter.topic, run=run_of(letter)):
            try:
                await self._settle(letter)
            except StopConsume:
                raise
            except Exception as error:
                # The broker delivers it again at once: without a pause, hundreds of times a second.
                log.warning("left for redelivery", offset=letter.offset, error=repr(error))
                await asyncio.sleep(self.policy.longest_pause_s)
                raise

    async def process(self, letter: Letter) -> None:
        """Process a message that did not come from the broker, such as one that is kept.

        Raises
        ------
        Exception
            Whatever will pass, after the usual attempts.
        """
        with log_context(service=self.service, consumer=self.name, topic=letter.topic, run=run_of(letter)):
            await self._settle(letter)

    async def _settle(self, letter: Letter) -> None:
        if not self._is_meant(letter):
            return
        started, outcome = time.perf_counter(), Outcome.REDELIVERY
        try:
            with consuming(self.tracer, self.name, letter.topic, letter.headers) as span:
                outcome = await self._outcome_of(letter)
                span.set_attributes({**get_contextvars(), "outcome": outcome})
                if outcome is Outcome.DEAD_LETTER:
                    span.set_status(Status(StatusCode.ERROR))
        finally:
            seconds = time.perf_counter() - started
            self.metrics.add(EVENTS, self.name, letter.topic, outcome)
            self.metrics.observe(EVENT_SECONDS, seconds, self.name)
        log.debug("event consumed", outcome=outcome.value, seconds=round(seconds, 4))

    def _is_meant(self, letter: Letter) -> bool:
        to_service = letter.headers.get(SERVICE_HEADER, self.service) == self.service
        return to_service and letter.headers.get(ADDRESSEE_HEADER, self.name) == self.name

    async def _outcome_of(self, letter: Letter) -> Outcome:
        try:
            event = decode(letter, self.event_types)
        except InvalidEvent as error:
            return await self._set_aside(letter, None, error, attempts=1)
        bind_contextvars(run=str(event.run.run_id), part=f"{event.part.index + 1}/{event.part.total}")
        return await self._retrying(letter, event)

    async def _retrying(self, letter: Letter, event: Event) -> Outcome:
        for attempt in range(1, self.policy.attempts + 1):
            try:
                outcome = await self._once(letter, event)
            except Exception as error:  # noqa: BLE001 - the one place that decides for every class of error
                if is_poison(error):
                    return await self._set_aside(letter, event, error, attempts=attempt)
                if attempt == self.policy.attempts:
                    return await self._give_up(letter, event, error)
                log.warning("attempt failed", attempt=attempt, error=repr(error))
                self.metrics.add(EVENT_RETRIES, self.name)
                await asyncio.sleep(self.policy.pause_s(attempt))
            else:
                self.dead_letters_in_a_row = 0
                return outcome
        raise AssertionError("attempts must be at least 1")

    async def _once(self, letter: Letter, event: Event) -> Outcome:
        replay_id = letter.headers.get(REPLAY_HEADER, "")
        async with self.unit_of_work() as uow:
            if not await first_time_seen(uow.connection, self.name, event.event_id, replay_id=replay_id):
                return Outcome.DUPLICATE
            outcome = await self._handle(event, uow)
            if is_sent_again(letter):
                uow.post(settlement(letter, consumer=self.name))
            return outcome

    async def _handle(self, event: Event, uow: UnitOfWork) -> Outcome:
        if self.slots is not None:
            await self.slots.take(uow.connection)
        # Asked after the wait, during which it may have happened.
        if is_work(event.topic) and await is_cancelled(uow.connection, event.run.run_id):
            return Outcome.CANCELLED
        await self.handler(event, uow, **self.resources)
        return Outcome.PROCESSED

    async def _give_up(self, letter: Letter, event: Event, error: Exception) -> Outcome:
        if is_transient(error):
            raise error
        log.error("handler failed", exc_info=error)
        return await self._set_aside(letter, event, error, attempts=self.policy.attempts)

    async def _set_aside(self, letter: Letter, event: Event | None, error: Exception, *, attempts: int) -> Outcome:
        # Who sends many again may be wrong about all of them: that says nothing about the others.
        counts = not is_sent_again(letter)
        if counts and self.dead_letters_in_a_row >= self.policy.dead_letter_limit:
            log.critical("dead-letter limit reached, consumer stopped", offset=letter.offset)
            raise StopConsume
        row = partial(dead_letter, letter, consumer=self.name, error=error, attempts=attempts)
        replay_id = letter.headers.get(REPLAY_HEADER, "")
        try:
            async with self.unit_of_work() as uow:
                uow.post(row(reported=event is not None and self.report_failure is not None))
                if event is not None:
                    await self._report(event, error, replay_id, uow)
        except Exception as trouble:
            if event is None or is_transient(trouble):
                raise
            # The run then closes by its deadline; the partition must not wait for that.
            log.exception("failure report failed")
            async with self.unit_of_work() as uow:
                await first_time_seen(uow.connection, self.name, event.event_id, replay_id=replay_id)
                uow.post(row(reported=False))
        self.dead_letters_in_a_row += counts
        log.error("set aside", offset=letter.offset, attempts=attempts, error=repr(error))
        return Outcome.DEAD_LETTER

    async def _report(self, event: Event, error: Exception, replay_id: str, uow: UnitOfWork) -> None:
        seen = not await first_time_seen(uow.connection, self.name, event.event_id, replay_id=replay_id)
        if self.report_failure is None or seen:
            return
        failure = Failure(
            subject=f"{event.topic} part {event.part.index}",
            reason=type(error).__name__,
            detail=storable(str(error))[:MAX_DETAIL],
        )
        await self.report_failure(event, failure, uow)


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
        consumer = Consumer(
            service=self._service,
            event_types={event_type.topic: event_type for event_type in types},
            handler=handler,
            resources=resources,
            report_failure=on_failure,
            unit_of_work=self._unit_of_work,
            policy=self._policy,
            metrics=self._metrics,
            tracer=self._tracer,
            slots=None if at_once is None else Slots(_group(self._service, handler), at_once),
        )
        self._make_known(consumer)
        self._subscribe(tuple(consumer.event_types), consumer.name, consumer.deliver, payload=reduce(or_, types))
        self.consumers.append(consumer)
        return consumer

    def _make_known(self, consumer: Consumer) -> None:
        # A rate of what has never happened is 0, not missing.
        self._metrics.add(EVENT_RETRIES, consumer.name, amount=0)
        for topic in consumer.event_types:
            for outcome in Outcome:
                self._metrics.add(EVENTS, consumer.name, topic, outcome, amount=0)

    def letters(self, topics: tuple[str, ...], handler: Handler, **resources: Any) -> None:
        """Bind a handler to raw messages, which need not be events, such as dead letters."""
        group = _group(self._service, handler)

        async def deliver(message: KafkaMessage) -> None:
            letter = _letter(message)
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
            title=group,
        )(on_message)


def _group(service: str, handler: Handler) -> str:
    return f"{service}.{handler.__name__}"


def decode(letter: Letter, event_types: dict[str, type[Event]]) -> Event:
    """Return the event of a message.

    Raises
    ------
    InvalidEvent
        If the bytes are not an event of the topic in a version that we read.
    """
    event_type = event_types[letter.topic]
    said = letter.headers.get("ce_type")
    if said != event_type.event_type():
        raise InvalidEvent(f"ce_type must be {event_type.event_type()}, was {said}")
    if b"\\u0000" in letter.value:
        raise InvalidEvent(f"{event_type.event_type()} must not contain NUL, which PostgreSQL does not store")
    try:
        event = event_type.model_validate_json(letter.value)
    except (ValidationError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"{event_type.event_type()} must match its schema: {_reasons(error)}") from error
    if letter.headers.get("ce_id") != str(event.event_id):
        raise InvalidEvent(f"ce_id must be {event.event_id}, was {_uuid_or_text(letter.headers.get('ce_id'))}")
    return event


def _reasons(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(str(step) for step in item['loc']) or 'body'}: {item['msg']}" for item in found)


def _uuid_or_text(said: str | None) -> str:
    try:
        return str(UUID(said or ""))
    except ValueError:
        return "no UUID"


def _letter(message: KafkaMessage) -> Letter:
    record: Any = message.raw_message
    return Letter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=storable((record.key or b"").decode(errors="replace")),
        value=record.value or b"",
        headers={storable(name): storable(value) for name, value in message.headers.items()},
    )
