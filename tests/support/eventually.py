"""Waiting for what happens elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, within_s: float = 20.0) -> T:
    """Look until the answer is true, and return it; the limit is there for failures, not for speed."""
    deadline = time.perf_counter() + within_s
    while not (seen := await look()):
        if time.perf_counter() > deadline:
            raise AssertionError(f"not seen within {within_s} s: {look!r}, last {seen!r}")
        await asyncio.sleep(0.02)
    return seen
