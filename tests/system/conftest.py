from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from services.ops.embedded.stack import RunningStack
from tests.support.bus_log import BusLog
from tests.support.stack import run_stack


@pytest.fixture(scope="module")
async def own_stack() -> AsyncIterator[RunningStack]:
    """A database server and a broker for one module: platforms in one process share consumer groups by their names."""
    async with run_stack() as running:
        yield running


@pytest.fixture(autouse=True)
def bus_log() -> Iterator[BusLog]:
    """What the kernel logs; a test fails when that has a bug in it which the test did not expect."""
    before = structlog.get_config()
    log = BusLog()
    structlog.configure(processors=[structlog.processors.format_exc_info, log.record])
    yield log
    structlog.configure(**before)
    assert log.unexpected() == []
