"""How often something that ends is started again, and after which pause."""

import asyncio
import time
from typing import Final

# What has run for so long has begun well: its next end is the first of a new row.
STEADY_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.5
TRIES: Final = 6


class Restarts:
    """The ends of one process, in a row."""

    def __init__(self) -> None:
        self.ends = 0
        self._began: float | None = None

    @property
    def are_too_many(self) -> bool:
        """Whether it has ended as often as it may."""
        return self.ends > TRIES

    def begun(self) -> None:
        """Take note that it runs."""
        self._began = time.monotonic()

    def ended(self) -> None:
        """Take note that it has ended, or has not begun."""
        steady = self._began is not None and time.monotonic() - self._began >= STEADY_S
        self.ends, self._began = 1 if steady else self.ends + 1, None

    async def pause(self) -> None:
        """Wait, longer with each end."""
        await asyncio.sleep(FIRST_PAUSE_S * 2.0 ** (self.ends - 1))
