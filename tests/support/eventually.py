"""Waiting for what happens elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

# Ends a test before pytest's own limit does, so that it says what was not seen; nothing is measured by it.
PATIENCE_S: Final = 120.0


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """Look until the answer is true, and return it."""
    deadline = time.perf_counter() + PATIENCE_S
    while not (seen := await look()):
        if time.perf_counter() > deadline:
            raise AssertionError(f"not seen within {PATIENCE_S} s: {look!r}, last {seen!r}")
        await asyncio.sleep(0.02)
    return seen
