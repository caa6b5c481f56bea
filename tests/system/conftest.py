from collections.abc import AsyncIterator

import pytest

from tests.support.digests import Digest
from tests.support.stack import Servers, with_broker
from tests.system.disturbed import undisturbed_sessions


@pytest.fixture(scope="module")
async def own_servers(postgres: Servers, broker_kind: str) -> AsyncIterator[Servers]:
    """A broker for one module: platforms in one process share consumer groups by their names."""
    async with with_broker(postgres) as servers:
        yield servers


@pytest.fixture(scope="session")
async def undisturbed(postgres: Servers) -> dict[str, Digest]:
    """The results of the month of `disturbed` when nothing happens to it."""
    return await undisturbed_sessions(postgres)
