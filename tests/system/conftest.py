import fcntl
import json
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import asdict

import pytest

from tests.support.digests import Digest
from tests.support.stack import Servers, wanted_broker, with_broker
from tests.system.month import undisturbed_month


@pytest.fixture(scope="module")
async def own_servers(postgres: Servers, broker_kind: str) -> AsyncIterator[Servers]:
    """A broker for one module: platforms in one process share consumer groups by their names."""
    async with with_broker(postgres) as servers:
        yield servers


@pytest.fixture(scope="session")
async def undisturbed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Digest]:
    """The results of the month when nothing happens to it: who asks first computes them for all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    with ((own if worker_id == "master" else own.parent) / "undisturbed.json").open("a+") as kept:
        await to_thread(fcntl.flock, kept, fcntl.LOCK_EX)
        kept.seek(0)
        found = kept.read()
        if not found:
            digests = await undisturbed_month(["--broker", wanted_broker(), "--providers", "sample"])
            found = json.dumps({name: asdict(digest) for name, digest in digests.items()})
            kept.write(found)
        return {name: Digest(**digest) for name, digest in json.loads(found).items()}
