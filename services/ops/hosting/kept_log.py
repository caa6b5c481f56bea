"""What the services have announced, from the outboxes that keep it, as one log."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.ops.errors import CommandError
from shared.contracts.catalogue import ASKED, EVENTS, PRODUCERS
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.scheduler import BatchTriggered
from shared.contracts.services import SERVICES
from shared.db.engine import build_engine
from shared.db.outbox import BEGINNING, END, Kept, find_kept, first_asked, list_kept
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.settings import CommonSettings, service_database_url

_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class KeptLog:
    """The outboxes of all services; each is read as its service's own role."""

    outboxes: dict[str, UnitOfWorkFactory]

    async def read(
        self, topics: Sequence[str], *, since: datetime = BEGINNING, until: datetime = END
    ) -> AsyncIterator[Kept]:
        """Yield the messages of these topics, the oldest first."""
        readers = [self._read(producer, own, since, until) for producer, own in _by_producer(topics).items()]
        heads = {reader: await anext(reader, None) for reader in readers}
        while waiting := {reader: kept for reader, kept in heads.items() if kept is not None}:
            reader, oldest = min(waiting.items(), key=lambda entry: entry[1].created_at)
            yield oldest
            heads[reader] = await anext(reader, None)

    async def _read(
        self, producer: str, topics: Sequence[str], since: datetime, until: datetime
    ) -> AsyncIterator[Kept]:
        place = (since, 0)
        while True:
            async with self.outboxes[producer].reading() as connection:
                page = await list_kept(connection, topics, after=place, until=until, limit=_PAGE)
            for kept in page:
                yield kept
            if len(page) < _PAGE:
                return
            place = page[-1].place

    async def find(self, topics: Sequence[str], event_ids: Sequence[UUID]) -> list[Kept]:
        """Return the messages of these topics that say these events, the oldest first."""
        found = []
        for producer, own in _by_producer(topics).items():
            async with self.outboxes[producer].reading() as connection:
                found += await find_kept(connection, own, event_ids)
        return sorted(found, key=lambda kept: kept.created_at)

    async def opened(self, run: Run) -> Run:
        """Return a run as the event that opened it says it.

        Raises
        ------
        CommandError
            If that is kept no more.
        """
        openings = [event(run=run, part=ONLY_PART).event_id for event in (BatchTriggered, SymbolsOnboarding)]
        for kept in await self.find(ASKED, openings):
            return EVENTS[kept.row.topic].model_validate_json(kept.row.value).run
        raise CommandError(f"what run {run.run_id} was over is kept no more: ask for it with `run`, or `backfill`")

    async def first_asked(self, session: date) -> datetime:
        """Return when the first run over a session or later ones was asked for; the beginning, where none is kept."""
        found = []
        for producer, own in _by_producer(ASKED).items():
            async with self.outboxes[producer].reading() as connection:
                found.append(await first_asked(connection, own, session))
        return min((moment for moment in found if moment is not None), default=BEGINNING)


@asynccontextmanager
async def kept_log(common: CommonSettings) -> AsyncIterator[KeptLog]:
    """Open the outboxes of all services."""
    engines = {name: build_engine(service_database_url(common, name), service=name, pool_size=1) for name in SERVICES}
    try:
        yield KeptLog({name: UnitOfWorkFactory(engine, source=name) for name, engine in engines.items()})
    finally:
        for engine in engines.values():
            await engine.dispose()


def _by_producer(topics: Sequence[str]) -> dict[str, list[str]]:
    producers: dict[str, list[str]] = defaultdict(list)
    for topic in topics:
        producers[PRODUCERS[EVENTS[topic]]].append(topic)
    return producers
