"""Relays that publish every message ten times, in no order, and some of it runs later."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import httpx

from services.ops.hosting.server import url_of
from shared.bus.broker import Producer
from shared.bus.relay import OutboxRelay
from shared.bus.sending import message_of
from shared.contracts.services import SERVICES
from shared.db.engine import plain_url
from tests.system.disturbed import Disturbed

COPIES: Final = 10
# The first copy is one of any that are to be sent; of the others, how many more messages are seen before it may be.
_LATE: Final = range(0, 150, 5)
_AT_ONCE: Final = 50
_PENDING: Final = """
    SELECT id, created_at, topic, key, value, headers FROM outbox
    WHERE published_at IS NULL AND error IS NULL AND NOT id = ANY($1::bigint[]) ORDER BY id
"""
_PUBLISHED: Final = "UPDATE outbox SET published_at = clock_timestamp() WHERE published_at IS NULL AND id = ANY($1)"


class Copy(NamedTuple):
    """A message that is to be sent, once this many have been seen."""

    seen: int
    row: Any


class Disorderly(OutboxRelay):
    """The relay of a service that has lost all order: that of the service itself stands by while this one leads."""

    def __init__(self, platform: Disturbed, service: str, generator: random.Random) -> None:
        common = platform.database.common
        address = plain_url(platform.database.url(service).get_secret_value())
        super().__init__(address, platform.servers.connection, common.broker, service=service)
        self.copies: list[Copy] = []
        self.ending = False
        self.is_leading = asyncio.Event()
        self._generator = generator
        self._seen = 0
        self._held: set[int] = set()

    async def flush(self, connection: Any, producer: Producer) -> int:
        """Send some of what is to be sent, drawn at random; return how many copies are left."""
        self.is_leading.set()
        for row in await connection.fetch(_PENDING, list(self._held)):
            self._held.add(row["id"])
            self._seen += 1
            later = self._generator.choices(_LATE, k=COPIES - 1)
            self.copies += [Copy(0, row), *(Copy(self._seen + late, row) for late in later)]
        drawn = self._draw()
        for sent in [await _send(producer, copy.row) for copy in drawn]:
            await sent
        await connection.execute(_PUBLISHED, [copy.row["id"] for copy in drawn])
        await connection.execute("SELECT pg_notify('published', $1)", " ".join({copy.row["topic"] for copy in drawn}))
        self.sent += len(drawn)
        return len(drawn)

    def end(self) -> None:
        """Hold nothing back any more."""
        self.ending = True
        self._wake.set()

    def _draw(self) -> Sequence[Copy]:
        self._generator.shuffle(self.copies)
        due = [copy for copy in self.copies if self.ending or copy.seen <= self._seen][:_AT_ONCE]
        taken = set(map(id, due))
        self.copies = [copy for copy in self.copies if id(copy) not in taken]
        return due


async def _send(producer: Producer, row: Any) -> "asyncio.Future[Any]":
    value, headers = message_of(row)
    sent: asyncio.Future[Any] = await producer.send(row["topic"], value, key=row["key"].encode(), headers=headers)
    return sent


@asynccontextmanager
async def disorder(platform: Disturbed, generator: random.Random) -> AsyncIterator[Sequence[Disorderly]]:
    """Publish in no order what services announce that begin meanwhile."""
    relays = [Disorderly(platform, service, generator) for service in SERVICES]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        for relay in relays:
            await relay.is_leading.wait()
        yield relays
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def all_is_heard(relays: Sequence[Disorderly], platform: Disturbed) -> None:
    """Return when every copy was sent and every group has read it."""
    for relay in relays:
        relay.end()
    while any(relay.copies for relay in relays):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    # However long it takes: each copy is a transaction of each consumer.
    while not await _is_read(platform):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def _is_read(platform: Disturbed) -> bool:
    try:
        told = (await platform.client.get(f"{url_of(platform.answering[SERVICES[0]])}/metrics")).text
    except httpx.TransportError:
        return False
    behind = re.findall(r"^sigmasight_consumer_lag\{.*\} (.*)$", told, re.M)
    return bool(behind) and not any(map(float, behind))
