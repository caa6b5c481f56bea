"""The SQL of the log of runs: lines are only ever appended, in the transaction of what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.activity import NIGHTS_TO_LEARN_FROM, Level, Line, PastRun
from services.scheduler.storage.repository import StoredRun

_APPEND = sa.text("INSERT INTO run_log (run_id, level, stage, message) VALUES (:run_id, :level, :stage, :message)")
_PAST = sa.text(
    """
    SELECT extract(epoch FROM finished_at - requested_at)::float8 AS seconds,
           coalesce((SELECT max(part_total) FROM run_parts p WHERE p.run_id = r.run_id AND stage = 'prices.updated'), 1)
    FROM runs r
    WHERE kind = :kind AND status IN ('completed', 'completed_with_errors') AND run_id <> :run_id
      AND run -> 'symbols' = CAST(:scope AS jsonb) -> 'symbols'
      AND run -> 'portfolio_ids' = CAST(:scope AS jsonb) -> 'portfolio_ids'
    ORDER BY requested_at DESC LIMIT :runs
    """
)


@dataclass(frozen=True, slots=True)
class LoggedLine:
    """A line with its place and when it was written."""

    place: int
    at: datetime
    line: Line


class RunLogRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_lines(self, run_id: UUID, lines: Sequence[Line]) -> None:
        """Append lines to a run's log."""
        rows = [
            {"run_id": run_id, "level": line.level.value, "stage": line.stage, "message": line.message}
            for line in lines
        ]
        if rows:
            await self._connection.execute(_APPEND, rows)

    async def list_lines(self, run_id: UUID, *, after: int, limit: int) -> list[LoggedLine]:
        """Return the lines of a run behind a place, the oldest first."""
        query = sa.text(
            "SELECT place, at, level, stage, message FROM run_log WHERE run_id = :run_id AND place > :after "
            "ORDER BY place LIMIT :limit"
        )
        rows = await self._connection.execute(query, {"run_id": run_id, "after": after, "limit": limit})
        return [LoggedLine(row.place, row.at, Line(Level(row.level), row.message, row.stage)) for row in rows]

    async def load_past(self, stored: StoredRun) -> list[PastRun]:
        """Return how long the last finished runs of the same kind over the same scope took."""
        dumped = stored.run.model_dump_json(include={"symbols", "portfolio_ids"})
        parameters = {
            "kind": stored.run.kind.value,
            "run_id": stored.run.run_id,
            "scope": dumped,
            "runs": NIGHTS_TO_LEARN_FROM,
        }
        return [PastRun(*row) for row in await self._connection.execute(_PAST, parameters)]
