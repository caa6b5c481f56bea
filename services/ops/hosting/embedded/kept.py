"""A server that is started again when it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from services.ops.errors import CommandError
from services.ops.hosting.embedded.brokers import EmbeddedServer
from services.ops.hosting.embedded.restarts import Restarts

log = structlog.get_logger("servers")


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
        restarts = Restarts()
        while True:
            restarts.begun()
            self._trouble = await self.server.ended()
            restarts.ended()
            while not await self._starts(restarts):
                restarts.ended()
            self._trouble = None

    async def _starts(self, restarts: Restarts) -> bool:
        log.error("server ended", why=self._trouble, ends=restarts.ends)
        if restarts.are_too_many:
            raise CommandError(f"{self._trouble}, and so it has as often as it may: the platform ends")
        await restarts.pause()
        try:
            await self.server.stop()
            await self.server.start()
            if self.again is not None:
                await self.again()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again as often as it may be
            self._trouble = f"{self._trouble}; {error!r}"[:1_000]
            return False
        log.warning("server started again", ends=restarts.ends)
        return True

    async def troubles(self) -> list[str]:
        """Return that it does not run, where that is so."""
        return [] if self._trouble is None else [f"{self._trouble} and is started again"]
