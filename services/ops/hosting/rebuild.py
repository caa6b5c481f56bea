"""Filling a service's tables anew from what it was told, beside those that serve; comparing them; taking them over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from services.ops.errors import CommandError
from services.ops.hosting.feeding import Feeding, feeding
from services.ops.tables import TABLES
from shared.db.beside import Beside, Difference, Unlike, beside
from shared.db.migrate import make_schema, migrate
from shared.db.outbox import BEGINNING
from shared.db.tables import Tables
from shared.db.unit_of_work import one_transaction
from shared.settings import CommonSettings, ServiceDatabaseUrls, service_database_url

# How often a service that takes in events is caught up with.
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The second schema of one service.

    Parameters
    ----------
    common : CommonSettings
        Where the services' databases are.
    service : str
        Whose.
    """

    common: CommonSettings
    service: str

    @property
    def tables(self) -> Tables:
        """What the tables of the service are."""
        return TABLES[self.service]

    async def fill(self, *, nights: int | None = None) -> Feeding:
        """Make the second schema, in the place of one that is there, and fill it; return what was handed over.

        Parameters
        ----------
        nights : int, optional
            Only the last so many sessions are computed, from what the service has of those before.

        Raises
        ------
        CommandError
            If the service computes nothing from events, or has no results.
        """
        if not self.tables.derived:
            raise CommandError(f"{self.service} computes nothing from events: what it holds, it alone knows")
        own = getattr(ServiceDatabaseUrls(), f"{self.service}_database_url")
        await make_schema(own or self.common.database_url, beside(self.service), owner=self.service)
        await migrate(self.service, self._url, schema=beside(self.service))
        async with self._opened() as schemas:
            await schemas.share_source()
        async with self._feeding() as work:
            since = BEGINNING if nights is None else await self._seed(work, nights)
            async for kept in work.read(since=since):
                await work.feed(kept.row)
            async with self._opened() as schemas:
                await schemas.close_like_live()
            await work.close_overdue()
            await self._catch_up(work)
        return work

    async def differences(self) -> list[Difference]:
        """Return what differs between the schemas, when what has come meanwhile has been taken in."""
        async with self._feeding() as work:
            await self._catch_up(work)
        async with self._opened() as schemas:
            return [row for results in self.tables.results for row in await schemas.differences(results)]

    async def promote(self) -> None:
        """Take over what was filled, in one transaction.

        Raises
        ------
        CommandError
            If the second schema was told less than the first one, or does not catch up with it.
        """
        async with self._feeding() as work:
            for _ in range(_ROUNDS):
                async with self._opened() as schemas:
                    missing = await schemas.promote(work.consumers)
                if not missing:
                    return
                await work.feed_events(missing)
        raise CommandError(f"{self.service} takes in more than can be caught up with: try again when it is quieter")

    async def discard(self) -> None:
        """Drop the second schema."""
        async with self._opened() as schemas:
            await schemas.discard()

    async def _seed(self, work: Feeding, nights: int) -> datetime:
        async with self._opened() as schemas:
            first = await schemas.first_of_last_sessions(nights)
            if first is None:
                raise CommandError(f"{self.service} has no results yet: there are no nights to compute again")
            since = await work.log.first_asked(first)
            runs = {kept.row.run_id async for kept in work.read(since=since)}
            await schemas.seed(before=first, runs=[run for run in runs if run is not None])
        return since

    async def _catch_up(self, work: Feeding) -> None:
        for _ in range(_ROUNDS):
            async with self._opened() as schemas:
                missing = await schemas.gap(work.consumers)
            if not missing:
                return
            await work.feed_events(missing)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Beside]:
        try:
            async with one_transaction(self._url, service=self.service) as connection:
                schemas = Beside(connection, self.service, self.tables)
                if not await schemas.exists():
                    raise CommandError(f"nothing is beside {self.service}: `rebuild {self.service} --beside` makes it")
                yield schemas
        except Unlike as error:
            raise CommandError(str(error)) from error

    @asynccontextmanager
    async def _feeding(self) -> AsyncIterator[Feeding]:
        async with feeding(self.service, self.common, beside(self.service)) as work:
            yield work

    @property
    def _url(self) -> SecretStr:
        return service_database_url(self.common, self.service)
