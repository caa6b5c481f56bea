from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import structlog

from services.ops.embedded.stack import RunningStack
from shared.bus.broker import create_topics
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase, migrated_database

MakeServiceDatabase = Callable[..., Awaitable[ServiceDatabase]]


@pytest.fixture(scope="module")
async def service_database(stack: RunningStack) -> AsyncIterator[MakeServiceDatabase]:
    """Makes an empty database in which the named services are provisioned and migrated: `service_database("risk")`."""
    async with AsyncExitStack() as databases:

        async def make(*services: str) -> ServiceDatabase:
            return await databases.enter_async_context(migrated_database(stack, services))

        yield make


@pytest.fixture(scope="session")
async def topics(stack: RunningStack) -> None:
    """Every topic of the catalogue exists."""
    await create_topics(stack.bootstrap_servers, partitions=4)


@pytest.fixture(autouse=True)
def bus_log() -> Iterator[BusLog]:
    """What the kernel logs; a test fails when that has a bug in it which the test did not expect."""
    before = structlog.get_config()
    log = BusLog()
    structlog.configure(processors=[structlog.processors.format_exc_info, log.record])
    yield log
    structlog.configure(**before)
    assert log.unexpected() == []
