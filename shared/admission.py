"""How many requests a service answers at once; beyond that they wait, and beyond some waiting they are sent away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from shared.problems import Problem

# Half of what the pool has ready: the other connections are for what the service does by itself.
AT_ONCE: Final = 4
# Some 5 to 10 ms each: who comes later would wait for longer than anybody looks at an empty page.
WAITING: Final = 64


class Admission:
    """Let requests in one after the other.

    Parameters
    ----------
    at_once, waiting : int
        How many are answered, and how many may wait.
    """

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._at_once = asyncio.Semaphore(at_once)
        self._most = waiting
        self._waiting = 0

    async def __call__(self) -> AsyncIterator[None]:
        """Hold a place while a request is answered.

        Raises
        ------
        Problem
            503 if too many wait already.
        """
        if self._waiting >= self._most:
            raise Problem(503, f"{self._waiting} requests wait already; nothing was done: try again")
        self._waiting += 1
        try:
            await self._at_once.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._at_once.release()
