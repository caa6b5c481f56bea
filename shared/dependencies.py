"""What routes are given, made where they run."""

import inspect
from typing import Any

from fastapi import Depends


def made(kind: type) -> Any:
    """Return the dependency that makes an object of a class from what it takes.

    FastAPI makes what no coroutine makes in a thread of its own, which costs more than any of them.
    """

    async def make(**taken: Any) -> Any:
        return kind(**taken)

    make.__signature__ = inspect.signature(kind, eval_str=True)  # type: ignore[attr-defined]
    return Depends(make)
