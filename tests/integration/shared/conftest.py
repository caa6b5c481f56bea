from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import build_engine
from shared.db.unit_of_work import UnitOfWorkFactory
from tests.support.databases import ServiceDatabase
from tests.support.probe import SERVICE, create_probe_topics, probe_database
from tests.support.stack import Servers


@pytest.fixture(scope="module")
async def probe(postgres: Servers) -> AsyncIterator[ServiceDatabase]:
    """A database with the kernel's tables in the schema of a made-up service."""
    async with probe_database(postgres) as database:
        yield database


@pytest.fixture(scope="module")
async def engine(probe: ServiceDatabase) -> AsyncIterator[AsyncEngine]:
    built = build_engine(probe.url(SERVICE), service=SERVICE)
    yield built
    await built.dispose()


@pytest.fixture(scope="module")
def unit_of_work(engine: AsyncEngine) -> UnitOfWorkFactory:
    return UnitOfWorkFactory(engine, source=SERVICE)


@pytest.fixture(scope="session")
async def probe_topics(servers: Servers) -> None:
    await create_probe_topics(servers)
