"""Consumers of a broker that has to be asked again and again: they rest, look now and then, and are woken.

Tansu answers a fetch that finds nothing after a few milliseconds, and looks through its log for it: some twenty
consumers that always ask take most of a core while nothing happens. Who publishes has PostgreSQL tell the relays of all
processes (`shared.bus.relay`), and they wake those who wait for that topic; what is missed is found by the next look.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import cache
from typing import Any

from aiokafka import AIOKafkaConsumer
from faststream import BaseMiddleware
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage

# A consumer goes on asking for so long after it was last woken: what has been published is found by one or two fetches.
# The next event of a chain rings again; two seconds of asking doubled what a run costs.
LINGER_S = 0.25
# Looks get rarer while nobody rings: each costs every consumer a question or two.
LOOK_EVERY_S = 2.0
LOOK_AT_LEAST_EVERY_S = 30.0
# What is published meanwhile is found by the next look.
LOOK_AT_MOST_S = 5.0
_ANSWER_PAUSE_S = 0.06


class Doorbell:
    """Wakes the consumers of this process that wait for a topic."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, topics: Iterable[str]) -> None:
        """Wake those who wait for one of the topics."""
        for topic in topics:
            for event in self._waiting[topic]:
                event.set()

    def ring_all(self) -> None:
        """Wake everybody: what was published may not have been heard of."""
        self.ring(list(self._waiting))

    @contextlib.contextmanager
    def at(self, topics: Iterable[str]) -> Iterator[asyncio.Event]:
        """Give what is set when one of the topics is rung for."""
        event = asyncio.Event()
        for topic in topics:
            self._waiting[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._waiting[topic].discard(event)


@cache
def doorbell(bootstrap_servers: str) -> Doorbell:  # noqa: ARG001
    """Return the one of all who speak to a broker in this process."""
    return Doorbell()


class Ringing(BaseMiddleware[Any, Any]):
    """Rings for the topic of a message while it is processed: behind it there may be others."""

    def __init__(self, message: Any, /, *, context: Any, bell: Doorbell) -> None:
        super().__init__(message, context=context)
        self._bell = bell

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]) -> Any:
        """Process a message between two rings."""
        topic = (msg.raw_message.topic,)
        self._bell.ring(topic)
        try:
            return await call_next(msg)
        finally:
            self._bell.ring(topic)


Idle = Callable[[AIOKafkaConsumer, asyncio.Event], Awaitable[None]]


async def while_idle(broker: KafkaBroker, bell: Doorbell, idle: Idle, *, after_s: float) -> None:
    """Have each consumer of a broker idle whenever nobody has rung for its topics for so long, until cancelled.

    Parameters
    ----------
    broker : KafkaBroker
        Whose consumers.
    bell : Doorbell
        Who rings for their topics.
    idle : coroutine function
        What a consumer does, until the event is set.
    after_s : float
        Seconds without a ring.
    """
    async with asyncio.TaskGroup() as idling:
        for subscriber in broker.subscribers:
            idling.create_task(_while_idle(subscriber, bell, idle, after_s))


async def _while_idle(subscriber: Any, bell: Doorbell, idle: Idle, after_s: float) -> None:
    with bell.at(subscriber.topic_names_for_subscribe) as rung:
        while True:
            rung.clear()
            # Before it has joined its group it has no consumer, or one without partitions.
            if not await set_within(rung, after_s) and subscriber.consumer is not None:
                await idle(subscriber.consumer, rung)


async def rest_while_idle(broker: KafkaBroker, bell: Doorbell) -> None:
    """Let each consumer of a broker rest whenever nobody has rung for its topics for a while, until cancelled."""
    await while_idle(broker, bell, _rest, after_s=LINGER_S)


async def _rest(consumer: AIOKafkaConsumer, rung: asyncio.Event) -> None:
    pause_s = LOOK_EVERY_S
    while not rung.is_set():
        consumer.pause(*consumer.assignment())
        try:
            await set_within(rung, pause_s)
        finally:
            consumer.resume(*consumer.assignment())
        await _look(consumer)
        pause_s = max(pause_s, min(2.0 * pause_s, LOOK_AT_LEAST_EVERY_S))


async def _look(consumer: AIOKafkaConsumer) -> None:
    # A fetch whose answer finds its partition paused again is thrown away: it is waited for.
    before = _answered(consumer)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AT_MOST_S):
            # What consumers hear of an answer is its time: no event tells of one that had nothing.
            while any(_answered(consumer).get(partition) == at for partition, at in before.items()):  # noqa: ASYNC110
                await asyncio.sleep(_ANSWER_PAUSE_S)


def _answered(consumer: AIOKafkaConsumer) -> dict[Any, int | None]:
    return {partition: consumer.last_poll_timestamp(partition) for partition in consumer.assignment()}


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, so long at most, and tell whether it is set.

    Who is cancelled while it is being set is cancelled: `asyncio.wait_for` of Python 3.11 goes on, and a stop hangs.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
