"""Answers that the shards of a run share, for a while."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptAnswers(Generic[T]):
    """The newest answers, each for some time.

    Parameters
    ----------
    at_most : int
    seconds : float
    """

    def __init__(self, at_most: int, seconds: float) -> None:
        self._at_most = at_most
        self._seconds = seconds
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._asking = asyncio.Lock()

    async def get(self, what: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer that is kept, or ask."""
        # One at a time: whoever waits for the same answer finds it then.
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if what in self._kept and now - self._kept[what][0] < self._seconds:
                return self._kept[what][1]
            answer = await ask()
            self._kept[what] = now, answer
            self._kept.move_to_end(what)
            while len(self._kept) > self._at_most:
                self._kept.popitem(last=False)
            return answer
