"""A server that ends is started again, as often as it may end."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.ops.errors import CommandError
from services.ops.hosting.embedded import restarts
from services.ops.hosting.embedded.kept import Kept
from services.ops.hosting.embedded.restarts import TRIES


@dataclass(slots=True)
class Server:
    """A server that a test ends, and that starts as often as the test says."""

    starts_well: list[bool] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[bool] = field(default_factory=list)
    ends_at_once: bool = False

    async def start(self) -> None:
        well = self.starts_well.pop(0) if self.starts_well else True
        self.started.append(well)
        if not well:
            raise OSError("the port is taken")

    async def ended(self) -> str:
        if not self.ends_at_once:
            await self.end.wait()
            self.end.clear()
        return "probe ended with code -9"

    async def stop(self) -> None:
        """Nothing is left of it."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST_PAUSE_S", 0.0)


async def test_server_that_ends_is_told_of_and_started_again_with_what_belongs_to_it() -> None:
    server, again, go_on = Server([False, True]), asyncio.Event(), asyncio.Event()

    async def rebuild() -> None:
        again.set()
        await go_on.wait()

    keeping = Kept(server, rebuild)
    assert await keeping.troubles() == []
    running = asyncio.create_task(keeping.run())
    server.end.set()
    await again.wait()

    (trouble,) = await keeping.troubles()
    assert trouble.startswith("probe ended with code -9; OSError('the port is taken')")
    assert server.started == [False, True]
    go_on.set()
    running.cancel()


@pytest.mark.parametrize("how", ["ends at once", "does not start"])
async def test_server_that_ends_as_often_as_it_may_ends_the_platform(how: str) -> None:
    server = Server([how == "ends at once"] * TRIES, ends_at_once=True)

    with pytest.raises(CommandError, match=r"probe ended with code -9.*as often as it may"):
        await Kept(server).run()

    assert len(server.started) == TRIES
