"""Producers of a broker of which one topic takes nothing for a while."""

import asyncio
import math
from typing import Any

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from shared.bus.broker import Producer, build_producer


class Refusing:
    """A broker of which one topic takes nothing for a while: it says so, or says nothing at all.

    Attributes
    ----------
    is_over : Event
        Set when it takes everything again.
    spared, refused : float
        How many batches it takes before it begins, and how many it then refuses.
    loses : type of KafkaError, optional
        What is heard of a batch that it has taken all the same, in place of its answer.
    """

    def __init__(self, topic: str, *, says_so: bool) -> None:
        self.topic = topic
        self.is_over = asyncio.Event()
        self.says_so = says_so
        self.spared, self.refused = 0, math.inf
        self.loses: type[KafkaError] | None = None

    def producer(self, *arguments: Any, **settings: Any) -> Producer:
        """Return a producer for it."""
        broker, built = self, build_producer(*arguments, **settings)
        send = built.send_batch

        async def send_batch(batch: Any, topic: str, *, partition: int) -> Any:
            of_it = topic == broker.topic and not broker.is_over.is_set()
            if of_it and broker.loses is None:
                await broker.refuse()
            sent = await send(batch, topic, partition=partition)
            if of_it and broker.loses is not None and broker.refused > 0:
                broker.refused -= 1
                await sent
                raise broker.loses
            return sent

        built.send_batch = send_batch
        return built

    async def refuse(self) -> None:
        """Take nothing."""
        if self.spared > 0:
            self.spared -= 1
            return
        if self.refused == 0:
            return
        self.refused -= 1
        if self.says_so:
            raise TopicAuthorizationFailedError(self.topic)
        await self.is_over.wait()
