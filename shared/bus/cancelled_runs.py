"""The runs that were cancelled: what of their work still waits in a service's queue is dropped when its turn comes.

What is in hand is broken off between two steps, such as sessions: what it has done is taken back with its transaction.
"""

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Item = TypeVar("Item")

_APPEND = sa.text("INSERT INTO cancelled_runs (run_id) VALUES (:run_id) ON CONFLICT DO NOTHING")
_IS_CANCELLED = sa.text("SELECT EXISTS (SELECT 1 FROM cancelled_runs WHERE run_id = :run_id)")


class RunCancelled(Exception):
    """The run that work is done for has been cancelled meanwhile."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"run {run_id} is cancelled")


async def append_cancelled(connection: AsyncConnection, run_id: UUID) -> None:
    """Remember that a run was cancelled."""
    await connection.execute(_APPEND, {"run_id": run_id})


async def is_cancelled(connection: AsyncConnection, run_id: UUID) -> bool:
    """Tell whether this service knows that a run was cancelled."""
    return bool(await connection.scalar(_IS_CANCELLED, {"run_id": run_id}))


async def unless_cancelled(items: Iterable[Item], connection: AsyncConnection, run_id: UUID) -> AsyncIterator[Item]:
    """Yield the steps of some work, as long as its run goes on; before the first one nobody is asked.

    Raises
    ------
    RunCancelled
        If the run has been cancelled since the step before.
    """
    has_begun = False
    for item in items:
        if has_begun and await is_cancelled(connection, run_id):
            raise RunCancelled(run_id)
        has_begun = True
        yield item
