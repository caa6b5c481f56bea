"""Doing several things at once, none of which outlives the others' failure."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*jobs: Coroutine[Any, Any, object]) -> None:
    """Do all of them; where one fails, or a stop comes, the others are stopped to their end before that is told.

    `asyncio.gather` tells it at once, and what the others have still to put away is cut off.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
