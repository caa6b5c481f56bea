from collections.abc import AsyncIterator

import pytest

from tests.support.stack import Servers, with_broker


@pytest.fixture(scope="module")
async def own_servers(postgres: Servers, broker_kind: str) -> AsyncIterator[Servers]:
    """A broker for one module: platforms in one process share consumer groups by their names."""
    async with with_broker(postgres) as servers:
        yield servers
