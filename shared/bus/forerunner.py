"""What a run goes on from: its barriers stay shut until another run's has opened, or parts of it have arrived.

Both sides lock the row of the run that is gone on from before they look for one another, so of two transactions that
meet the second sees what the first has left.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.run import After, Run

# Without an end: only its own parts give the row of a run that nothing has arrived of a deadline.
_LOCK = sa.text(
    """
    INSERT INTO fan_in AS f (stage, run_id, run, arrived, totals, deadline_at)
    VALUES (:name, :run_id, 'null', 0, '{}', 'infinity')
    ON CONFLICT (stage, run_id) DO UPDATE SET arrived = f.arrived
    """
)
_HAS_OPENED = sa.text(
    "SELECT EXISTS (SELECT 1 FROM fan_in WHERE stage = :name AND run_id = :run_id AND fired_at IS NOT NULL)"
)
_ARRIVED = sa.text(
    """
    SELECT count(*) FROM fan_in_part
    JOIN unnest(CAST(:topics AS text[]), CAST(:indexes AS integer[])) AS wanted (topic, index)
        ON (stream, part_index) = (wanted.topic, wanted.index)
    WHERE stage = :name AND run_id = :run_id
    """
)
_WAIT = sa.text("UPDATE fan_in SET waits_for = :waits_for WHERE stage = :name AND run_id = :run_id")
# One statement, however many wait: each part of the run that they wait for asks it.
_MAY_GO_ON = sa.text(
    """
    SELECT run FROM fan_in f WHERE stage = :name AND waits_for = :run_id AND fired_at IS NULL AND (
        EXISTS (SELECT 1 FROM fan_in WHERE stage = :name AND run_id = :run_id AND fired_at IS NOT NULL)
        OR jsonb_typeof(run #> '{after,parts}') = 'array' AND NOT EXISTS (
            SELECT 1 FROM jsonb_to_recordset(
                CASE jsonb_typeof(f.run #> '{after,parts}') WHEN 'array' THEN f.run #> '{after,parts}' ELSE '[]' END
            ) AS wanted (topic text, index integer)
            LEFT JOIN fan_in_part p ON p.stage = :name AND p.run_id = :run_id
                AND (p.stream, p.part_index) = (wanted.topic, wanted.index)
            WHERE wanted.topic = ANY(:topics) AND p.run_id IS NULL
        )
    )
    ORDER BY run_id FOR UPDATE OF f
    """
).columns(sa.column("run", JSONB))


async def lock_forerunner(connection: AsyncConnection, name: str, after: After) -> None:
    """Let nothing of the run that is gone on from arrive at the barrier until the transaction ends."""
    await connection.execute(_LOCK, {"name": name, "run_id": after.run_id})


async def may_go_on(connection: AsyncConnection, name: str, streams: Sequence[str], after: After) -> bool:
    """Tell whether what a run goes on from is in: of its parts, those that this barrier listens to."""
    run = {"name": name, "run_id": after.run_id}
    if await connection.scalar(_HAS_OPENED, run):
        return True
    if after.parts is None:
        return False
    wanted = sorted({(part.topic, part.index) for part in after.parts if part.topic in streams})
    parts = {"topics": [topic for topic, _ in wanted], "indexes": [index for _, index in wanted]}
    arrived: int = (await connection.execute(_ARRIVED, {**run, **parts})).scalar_one()
    return arrived == len(wanted)


async def wait_for_forerunner(connection: AsyncConnection, name: str, run: Run, after: After) -> None:
    """Remember that the run's own parts are in, and what it waits for."""
    await connection.execute(_WAIT, {"name": name, "run_id": run.run_id, "waits_for": after.run_id})


async def lock_going_on(connection: AsyncConnection, name: str, streams: Sequence[str], run: Run) -> list[Run]:
    """Return the runs that waited for this one and may go on; a statement that sees what had the lock before."""
    rows = await connection.execute(_MAY_GO_ON, {"name": name, "run_id": run.run_id, "topics": list(streams)})
    return [Run.model_validate(row.run) for row in rows]
