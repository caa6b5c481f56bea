"""A server that is started again when it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.ops.errors import CommandError
from services.ops.hosting.embedded.brokers import EmbeddedServer

log = structlog.get_logger("servers")

# One that has run for so long has begun well: the next end is the first of a new row.
STEADY_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.5
TRIES: Final = 6


@dataclass(slots=True)
class Kept:
    """A server that runs, and is to.

    Attributes
    ----------
    server : EmbeddedServer
        Started.
    again : coroutine function, optional
        Called when it has been started again.
    """

    server: EmbeddedServer
    again: Callable[[], Awaitable[None]] | None = None
    _trouble: str | None = field(default=None, init=False)

    async def run(self) -> None:
        """Start it whenever it ends, until cancelled.

        Raises
        ------
        CommandError
            If it has ended, or has not started, as often as it may.
        """
        ends, began = 0, time.monotonic()
        while True:
            self._trouble = await self.server.ended()
            ends = 1 if time.monotonic() - began >= STEADY_S else ends + 1
            while not await self._starts(ends):
                ends += 1
            began, self._trouble = time.monotonic(), None

    async def _starts(self, ends: int) -> bool:
        log.error("server ended", why=self._trouble, ends=ends)
        if ends > TRIES:
            raise CommandError(f"{self._trouble}, and so it has as often as it may: the platform ends")
        await asyncio.sleep(FIRST_PAUSE_S * 2.0 ** (ends - 1))
        try:
            await self.server.stop()
            await self.server.start()
            if self.again is not None:
                await self.again()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again as often as it may be
            self._trouble = f"{self._trouble}; {error!r}"[:1_000]
            return False
        log.warning("server started again", ends=ends)
        return True

    async def troubles(self) -> list[str]:
        """Return that it does not run, where that is so."""
        return [] if self._trouble is None else [f"{self._trouble} and is started again"]
