from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info

from services.ops.hosting.embedded.stack import RunningStack
from tests.support.bus_log import BusLog
from tests.support.stack import broker_description, fresh_database, run_stack


def pytest_report_header(config: pytest.Config) -> str:
    return f"broker: {broker_description()}"


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[RunningStack]:
    """One database server and one broker for the session, started when the first test asks."""
    async with run_stack() as running:
        yield running


@pytest.fixture(scope="module")
async def database(stack: RunningStack) -> AsyncIterator[str]:
    """The address of an empty database for this test module."""
    async with fresh_database(stack.database_url) as url:
        yield url


@pytest.fixture(autouse=True)
def bus_log() -> Iterator[BusLog]:
    """What the kernel logs; a test fails when that has a bug in it which the test did not expect."""
    before = structlog.get_config()
    log = BusLog()
    structlog.configure(processors=[merge_contextvars, format_exc_info, log.record])
    yield log
    structlog.configure(**before)
    assert log.unexpected() == []
