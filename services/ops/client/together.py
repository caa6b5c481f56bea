"""Asking for several things at once, none of which depends on another."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

# A service lets two requests of one caller in at once and eight more wait (`shared/admission.py`): three pages that
# somebody opens together are not turned away.
AT_ONCE: Final = 3


class Asking:
    """Begins calls; who needs an answer waits for that one."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, call: Callable[..., T], *arguments: Any, **named: Any) -> Future[T]:
        """Begin a call, at once or when one of those before has ended."""
        return self._pool.submit(call, *arguments, **named)


@contextmanager
def together() -> Iterator[Asking]:
    """Ask for what the block asks for at once; what has not begun at its end, as when one was refused, is not asked."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="asking")
    try:
        yield Asking(pool)
    finally:
        pool.shutdown(cancel_futures=True)
