"""The runs that were cancelled: what of their work still waits in a service's queue is dropped when its turn comes."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_APPEND = sa.text("INSERT INTO cancelled_runs (run_id) VALUES (:run_id) ON CONFLICT DO NOTHING")
_IS_CANCELLED = sa.text("SELECT EXISTS (SELECT 1 FROM cancelled_runs WHERE run_id = :run_id)")


async def append_cancelled(connection: AsyncConnection, run_id: UUID) -> None:
    """Remember that a run was cancelled."""
    await connection.execute(_APPEND, {"run_id": run_id})


async def is_cancelled(connection: AsyncConnection, run_id: UUID) -> bool:
    """Tell whether this service knows that a run was cancelled."""
    return bool(await connection.scalar(_IS_CANCELLED, {"run_id": run_id}))
