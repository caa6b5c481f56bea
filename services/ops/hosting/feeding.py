"""A service that is handed its messages: nothing is subscribed, nothing is published.

Its own handlers work, built by its own composition root; only where they write is another schema.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.ops.composition import build_services
from services.ops.errors import CommandError
from services.ops.hosting.kept_log import KeptLog, kept_log
from shared.bus.dead_letters import REPLAY_HEADER, Letter
from shared.contracts.catalogue import EVENTS, PRODUCERS
from shared.db.engine import redirect
from shared.db.outbox import BEGINNING, Kept, OutboxRow, take_kept
from shared.service import Service
from shared.settings import CommonSettings

# Beside what was copied of the inbox, everything that is fed is new.
_FED = "fed"


@dataclass(slots=True)
class Feeding:
    """A service and the log that it is fed from.

    Attributes
    ----------
    fed : int
        How many messages of others it was handed.
    refused : int
        How many could not be processed.
    """

    service: Service
    log: KeptLog
    fed: int = 0
    refused: int = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What the service is told by others."""
        heard = {topic for consumer in self.service.consume.consumers for topic in consumer.event_types}
        return tuple(sorted(topic for topic in heard if PRODUCERS[EVENTS[topic]] != self.service.name))

    @property
    def consumers(self) -> tuple[str, ...]:
        """Those that listen to others."""
        told = {*self.topics}
        return tuple(each.name for each in self.service.consume.consumers if told & each.event_types.keys())

    async def read(self, *, since: datetime = BEGINNING) -> AsyncIterator[Kept]:
        """Yield what the service was told, the oldest first."""
        async for kept in self.log.read(self.topics, since=since):
            yield kept

    async def feed(self, row: OutboxRow) -> None:
        """Hand over a message, and the work that the service gives itself because of it."""
        self.fed += 1
        await self._hand_over(row)
        await self._work_off()

    async def feed_events(self, event_ids: Sequence[UUID]) -> None:
        """Hand over the messages that say these events.

        Raises
        ------
        CommandError
            If one of them is no longer kept.
        """
        kept = await self.log.find(self.topics, event_ids)
        if len(kept) < len(event_ids):
            gone = len(event_ids) - len(kept)
            raise CommandError(f"{gone} messages that {self.service.name} has taken in are no longer kept")
        for each in kept:
            await self.feed(each.row)

    async def close_overdue(self) -> None:
        """Open the barriers whose deadline has passed, and work off what that leads to."""
        for fan_in in self.service.fan_ins:
            async with self.service.unit_of_work() as uow:
                await fan_in.close_overdue(uow)
        await self._work_off()

    async def _work_off(self) -> None:
        while True:
            async with self.service.unit_of_work() as uow:
                said = await take_kept(uow.connection)
            if not said:
                return
            for kept in said:
                self.refused += kept.row.topic not in EVENTS
                await self._hand_over(kept.row)

    async def _hand_over(self, row: OutboxRow) -> None:
        letter = Letter(row.topic, 0, 0, row.key, row.value, {**row.headers, REPLAY_HEADER: _FED})
        for consumer in self.service.consume.consumers:
            if row.topic in consumer.event_types:
                await consumer.process(letter)


@asynccontextmanager
async def feeding(name: str, common: CommonSettings, schema: str) -> AsyncIterator[Feeding]:
    """Build a service whose tables are those of a schema, and open the log."""
    (service,) = build_services([name], common)
    redirect(service.engine, schema)
    for consumer in service.consume.consumers:
        # They are those of the service that runs, which is not to wait.
        consumer.slots = None
    try:
        async with kept_log(common) as log:
            yield Feeding(service, log)
    finally:
        await service.engine.dispose()
