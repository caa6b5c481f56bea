"""How many requests are answered at once, of all callers and of one; who comes beyond that waits, or is sent away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from shared.auth import caller_of
from shared.clock import SystemClock
from shared.principal import Principal, Role
from shared.problems import Problem

# Half of what the pool has ready: the other connections are for what the service does by itself.
AT_ONCE: Final = 4
# Some 5 to 10 ms each: who comes later would wait for longer than anybody looks at an empty page.
WAITING: Final = 64
# Of one caller, so that whoever asks for everything leaves places to the others.
OWN_AT_ONCE: Final = 2
OWN_WAITING: Final = 8
STREAMS: Final = 10
# By routes as in the access table: what computes something again, reads all there is, or asks vendors.
COSTLY: Final = frozenset(
    {
        "GET /cells",
        "GET /coverage",
        "GET /readiness",
        "GET /sources",
        "GET /portfolios/{portfolio_id}/changes",
        "GET /portfolios/{portfolio_id}/explain/{measure}",
        "GET /risk/portfolios/{portfolio_id}/changes",
        "GET /risk/portfolios/{portfolio_id}/explain/{measure}",
        "POST /backfills/plan",
    }
)
COSTLY_A_MINUTE: Final = RateLimitItemPerMinute(60)


class _Places:
    """So many at once; so many more wait for a place."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = waiting
        self._waiting = 0
        self.users = 0

    @asynccontextmanager
    async def place(self, refusal: int) -> AsyncIterator[None]:
        """Hold one while the block runs.

        Raises
        ------
        Problem
            With the status of the refusal, if too many wait already.
        """
        if self._waiting >= self._most:
            raise Problem(refusal, f"{self._waiting} requests wait already; nothing was done: try again")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


class Admission:
    """Let the requests to a service in one after the other, and those of each caller by turns with the others'.

    Operators and programs of theirs are bounded by the service alone: what is urgent is theirs to weigh.

    Parameters
    ----------
    at_once, waiting : int
        How many are answered, and how many may wait.
    """

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._of_all = _Places(at_once, waiting)
        self._own: dict[str, _Places] = {}
        self._rate = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        """Hold a place while a request is answered.

        Raises
        ------
        Problem
            429 if too many of the caller's wait already, or have asked for what is costly; 503 if too many of all do.
        """
        caller = _bounded(request)
        if caller is None:
            async with self._of_all.place(503):
                yield
            return
        self._count(caller, f"{request.method} {request.scope['route'].path}")
        async with self._place_of(caller), self._of_all.place(503):
            yield

    @asynccontextmanager
    async def _place_of(self, caller: Principal) -> AsyncIterator[None]:
        own = self._own.setdefault(caller.name, _Places(OWN_AT_ONCE, OWN_WAITING))
        own.users += 1
        try:
            async with own.place(429):
                yield
        finally:
            own.users -= 1
            if not own.users:
                del self._own[caller.name]

    def _count(self, caller: Principal, route: str) -> None:
        if route not in COSTLY or self._rate.hit(COSTLY_A_MINUTE, caller.name, route):
            return
        reset = self._rate.get_window_stats(COSTLY_A_MINUTE, caller.name, route).reset_time
        wait_s = max(1, round(reset - SystemClock().now().timestamp()))
        detail = f"{route} is answered {COSTLY_A_MINUTE.amount} times a minute for one caller: try again in {wait_s} s"
        raise Problem(429, detail, retry_after_s=wait_s)


class Streams:
    """Let a caller follow so many things at once, each for as long as it lasts."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        """Count a stream until its answer has ended.

        Raises
        ------
        Problem
            429 if the caller follows as many already as one may.
        """
        caller = _bounded(request)
        if caller is None:
            yield
            return
        own = self._open.get(caller.name, 0)
        if own >= STREAMS:
            raise Problem(429, f"{own} streams are open already, which is as many as one may follow: close one")
        self._open[caller.name] = own + 1
        try:
            yield
        finally:
            self._open[caller.name] -= 1
            if not self._open[caller.name]:
                del self._open[caller.name]


def _bounded(request: Request) -> Principal | None:
    caller = caller_of(request)
    return caller if caller is not None and caller.role < Role.OPERATOR else None
