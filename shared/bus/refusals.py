"""Topics that refuse messages while the broker answers: each is asked again and again, and the others go on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from shared.bus.sending import Sending
from shared.clock import SystemClock

log = structlog.get_logger("relay")


@dataclass(slots=True)
class Refusal:
    """A topic whose oldest row is offered until it is taken."""

    topic: str
    why: str
    since: datetime = field(default_factory=lambda: SystemClock().now())
    insisting: "asyncio.Task[Sending] | None" = None


class Refusals:
    """What of an outbox is held, since its topic refuses it.

    Parameters
    ----------
    offer : coroutine function
        Sends one row, or says in a `KafkaError` why it is not taken.
    wake : Event
        Set when a topic has taken something again.

    Attributes
    ----------
    count : int
        How many there have been.
    """

    first_pause_s = 0.5
    longest_pause_s = 10.0

    def __init__(self, offer: Callable[[Any], Awaitable[Sending]], wake: asyncio.Event) -> None:
        self._offer = offer
        self._wake = wake
        self._held: dict[str, Refusal] = {}
        self.count = 0

    @property
    def topics(self) -> list[str]:
        """Which topics are held."""
        return list(self._held)

    def troubles(self) -> list[str]:
        """Return which topics are held, since when and why; not where the broker is, since anybody may ask."""
        held = self._held.values()
        return [f"{each.topic} refuses messages since {each.since:%Y-%m-%d %H:%M:%S} UTC: {each.why}" for each in held]

    def add(self, row: Any, error: KafkaError) -> None:
        """Hold the rows of a topic, and offer the oldest of them until it is taken."""
        refusal = Refusal(row["topic"], type(error).__name__)
        log.error("a topic refuses messages; the others go on", topic=refusal.topic, error=repr(error))
        refusal.insisting = asyncio.create_task(self._insist(refusal, row))
        refusal.insisting.add_done_callback(lambda _: self._wake.set())
        self._held[refusal.topic] = refusal
        self.count += 1

    def ended(self) -> list[Sending]:
        """Return what was taken of topics that were held, and hold them no longer."""
        over = [refusal for refusal in self._held.values() if refusal.insisting and refusal.insisting.done()]
        for refusal in over:
            del self._held[refusal.topic]
            log.info("a topic takes messages again", topic=refusal.topic)
        return [refusal.insisting.result() for refusal in over if refusal.insisting]

    async def forget(self) -> None:
        """Hold nothing any longer, and offer nothing."""
        tasks = [refusal.insisting for refusal in self._held.values() if refusal.insisting]
        self._held.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _insist(self, refusal: Refusal, row: Any) -> Sending:
        pause_s = self.first_pause_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await self._offer(row)
            except (OSError, KafkaError) as error:
                refusal.why = type(error).__name__
            pause_s = min(2.0 * pause_s, self.longest_pause_s)
