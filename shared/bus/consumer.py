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
from functools import partial
from typing import Any

import structlog
from faststream.kafka import KafkaMessage
from opentelemetry.trace import Status, StatusCode, Tracer
from structlog.contextvars import bind_contextvars, get_contextvars

from shared.bus.breaker import Breaker, BreakerOpen, BreakerPolicy
from shared.bus.cancelled_runs import RunCancelled, is_cancelled
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
from shared.bus.decoding import decode, letter_of
from shared.bus.inbox import first_time_seen
from shared.clock import Clock, SystemClock
from shared.contracts.catalogue import is_work
from shared.contracts.event import Event, Failure
from shared.db.slots import Slots
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.errors import InvalidEvent, is_poison, is_transient
from shared.failpoints import Place, failpoint
from shared.metrics.catalogue import EVENT_RETRIES, EVENT_SECONDS, EVENTS
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import log_context
from shared.tracing import consuming

log = structlog.get_logger("bus")

Handler = Callable[..., Awaitable[None]]
Taking = Callable[[Event, UnitOfWork], Awaitable["Outcome"]]
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
    `attempts` times and then set aside, until the topic's breaker opens.
    """

    attempts: int = 3
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

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
    given_up: asyncio.Event
    slots: Slots | None = None
    clock: Clock = field(default_factory=SystemClock)
    breakers: dict[str, Breaker] = field(init=False)
    # Per topic when the message in hand was begun.
    begun: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.breakers = {topic: Breaker(topic, self.policy.breaker) for topic in self.event_types}

    @property
    def name(self) -> str:
        """What it is called in inboxes, letters, logs and metrics."""
        return consumer_name(self.service, self.handler)

    def stuck(self, *, after_s: float) -> list[str]:
        """Return which topics wait behind a message that has been in hand for longer than that."""
        now = time.perf_counter()
        return [f"{self.name} {topic}" for topic, begun in self.begun.items() if now - begun > after_s]

    async def deliver(self, message: KafkaMessage) -> None:
        """Process one message to its end: committed, set aside, or raised so that it is delivered again."""
        failpoint(Place.RECEIVED, self.service)
        letter = letter_of(message)
        # The run is what the headers claim, until the event has been read.
        with log_context(service=self.service, consumer=self.name, topic=letter.topic, run=run_of(letter)):
            try:
                await self._settle(letter)
            except BreakerOpen as error:
                log.critical("consumer pauses", offset=letter.offset, seconds=error.break_s, why=str(error))
                if self.breakers[letter.topic].has_given_up:
                    self.given_up.set()
                await asyncio.sleep(error.break_s)
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
        self.begun[letter.topic] = started
        try:
            with consuming(self.tracer, self.name, letter.topic, letter.headers) as span:
                outcome = await self._outcome_of(letter)
                span.set_attributes({**get_contextvars(), "outcome": outcome})
                if outcome is Outcome.DEAD_LETTER:
                    span.set_status(Status(StatusCode.ERROR))
        finally:
            self.begun.pop(letter.topic, None)
            seconds = time.perf_counter() - started
            self.metrics.add(EVENTS, self.name, letter.topic, outcome)
            self.metrics.observe(EVENT_SECONDS, seconds, self.name)
        log.debug("event consumed", outcome=outcome.value, seconds=round(seconds, 4))

    def _is_meant(self, letter: Letter) -> bool:
        to_service = letter.headers.get(SERVICE_HEADER, self.service) == self.service
        return to_service and letter.headers.get(ADDRESSEE_HEADER, self.name) == self.name

    async def _outcome_of(self, letter: Letter) -> Outcome:
        try:
            event = decode(letter, self.event_types, today=self.clock.now().date())
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
                self.breakers[letter.topic].passed()
                return outcome
        raise AssertionError("attempts must be at least 1")

    async def _once(self, letter: Letter, event: Event) -> Outcome:
        try:
            return await self._taken(letter, event, self._handle)
        except RunCancelled:
            return await self._taken(letter, event, _leave)

    async def _taken(self, letter: Letter, event: Event, handle: Taking) -> Outcome:
        replay_id = letter.headers.get(REPLAY_HEADER, "")
        async with self.unit_of_work() as uow:
            if not await first_time_seen(uow.connection, self.name, event.event_id, replay_id=replay_id):
                return Outcome.DUPLICATE
            failpoint(Place.SEEN, self.service)
            outcome = await handle(event, uow)
            failpoint(Place.HANDLED, self.service)
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
        # Who sends many again may be wrong about all of them: that says nothing about the others.
        if is_sent_again(letter):
            return await self._set_aside(letter, event, error, attempts=self.policy.attempts)
        self.breakers[letter.topic].check(error)
        outcome = await self._set_aside(letter, event, error, attempts=self.policy.attempts)
        self.breakers[letter.topic].failed()
        return outcome

    async def _set_aside(self, letter: Letter, event: Event | None, error: Exception, *, attempts: int) -> Outcome:
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


async def _leave(_event: Event, _uow: UnitOfWork) -> Outcome:
    return Outcome.CANCELLED


def consumer_name(service: str, handler: Handler) -> str:
    """Return what the consumer of a handler is called."""
    return f"{service}.{handler.__name__}"
