"""Waiting for what happens elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

# Ends a test before pytest's own limit does, so that it says what was not seen; nothing is measured by it.
PATIENCE_S: Final = 120.0
# To look costs the processor that the awaited needs: the longer it takes, the rarer the looks.
_SOONEST_S: Final = 0.02
_LATEST_S: Final = 0.1
_OF_THE_WAIT: Final = 0.1


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """Look until the answer is true, and return it."""
    began = time.perf_counter()
    while not (seen := await look()):
        waited = time.perf_counter() - began
        if waited > PATIENCE_S:
            raise AssertionError(f"not seen within {PATIENCE_S} s: {look!r}, last {seen!r}")
        await asyncio.sleep(min(max(_SOONEST_S, _OF_THE_WAIT * waited), _LATEST_S))
    return seen
