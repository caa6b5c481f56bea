from collections.abc import AsyncIterator

import pytest

from services.ops.hosting.embedded.stack import RunningStack
from tests.support.stack import run_stack


@pytest.fixture(scope="module")
async def own_stack() -> AsyncIterator[RunningStack]:
    """A database server and a broker for one module: platforms in one process share consumer groups by their names."""
    async with run_stack() as running:
        yield running
