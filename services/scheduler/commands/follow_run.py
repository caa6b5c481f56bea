"""Follow runs: each is read from the ledger once, however many follow it, and nobody waits for a slow one of them."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.scheduler.core.activity import Line, What
from services.scheduler.storage.log_repository import LogRepository
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory

# A notification with every part would make the commits of all services queue for PostgreSQL's one lock on them.
_LOOK_EVERY_S: Final = 0.25
_PAGE: Final = 1000


@dataclass(slots=True)
class _Feed:
    """The lines of a run, kept while anybody follows it."""

    followers: int = 0
    lines: list[Line] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> int:
        return self.lines[-1].place if self.lines else -1

    @property
    def has_ended(self) -> bool:
        return bool(self.lines) and self.lines[-1].what is What.ENDED

    def tell(self) -> None:
        """Wake who waits; who comes later waits for what comes next."""
        self.news.set()
        self.news = asyncio.Event()


class RunFeeds:
    """The runs that are followed in this process."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._feeds: dict[UUID, _Feed] = {}
        self._wanted = asyncio.Event()
        self._is_closed = False

    async def follow(self, run_id: UUID, *, after: int, until: datetime | None = None) -> AsyncGenerator[Line]:
        """Yield the lines of a known run behind a place as they come, until it has ended, or a moment has come."""
        feed = self._feeds.setdefault(run_id, _Feed())
        feed.followers += 1
        self._wanted.set()
        try:
            read = 0
            while not self._is_closed and (until is None or self._clock.now() < until):
                news, unread, read = feed.news, feed.lines[read:], len(feed.lines)
                for line in (line for line in unread if line.place > after):
                    yield line
                if feed.has_ended and read == len(feed.lines):
                    return
                try:
                    async with asyncio.timeout(None if until is None else (until - self._clock.now()).total_seconds()):
                        await news.wait()
                except TimeoutError:
                    return
        finally:
            feed.followers -= 1
            if not feed.followers:
                del self._feeds[run_id]

    async def keep_up(self) -> None:
        """Look for news of what is followed, for ever."""
        while True:
            await self._wanted.wait()
            await self._look()
            await asyncio.sleep(_LOOK_EVERY_S)
            if not self._feeds:
                self._wanted.clear()

    async def _look(self) -> None:
        async with self._unit_of_work.reading() as connection:
            repository = LogRepository(connection)
            for run_id, feed in list(self._feeds.items()):
                while not feed.has_ended:
                    page = await repository.list_lines(run_id, after=feed.last, limit=_PAGE)
                    feed.lines += _until_the_end(page)
                    if not page:
                        break
                    feed.tell()

    def close(self) -> None:
        """End what is followed here, and whatever will be: the process stops. Who follows goes on elsewhere."""
        self._is_closed = True
        for feed in self._feeds.values():
            feed.tell()


def _until_the_end(page: list[Line]) -> list[Line]:
    end = next((place for place, line in enumerate(page) if line.what is What.ENDED), len(page))
    return page[: end + 1]
