from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from shared.bus.broker import create_topics
from shared.contracts.catalogue import TopicLayout
from tests.support.databases import ServiceDatabase, migrated_database
from tests.support.stack import Servers

MakeServiceDatabase = Callable[..., Awaitable[ServiceDatabase]]


@pytest.fixture(scope="module")
async def service_database(postgres: Servers) -> AsyncIterator[MakeServiceDatabase]:
    """Makes an empty database in which the named services are provisioned and migrated: `service_database("risk")`."""
    async with AsyncExitStack() as databases:

        async def make(*services: str) -> ServiceDatabase:
            return await databases.enter_async_context(migrated_database(postgres, services))

        yield make


@pytest.fixture(scope="session")
async def topics(servers: Servers) -> None:
    """Every topic of the catalogue exists."""
    await create_topics(servers.connection, TopicLayout(partitions=4))
