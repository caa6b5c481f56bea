"""The SQL of the log of runs: read from what the ledger keeps, in the order in which it learnt it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.activity import (
    RUNS_TO_LEARN_FROM,
    Arrival,
    Asked,
    Line,
    Pace,
    What,
    closed_line,
    ended_line,
    letter_line,
    opened_line,
    part_line,
)
from services.scheduler.storage.repository import CLOSING

# One statement, hence one moment: of several, a later one could see what comes behind what an earlier one missed.
_LINES = sa.text(
    """
    WITH run AS (SELECT * FROM runs WHERE run_id = :run_id),
    counted AS (
        SELECT place, arrived_at, stage, part_index, part_total, subjects, failures,
               count(*) OVER (PARTITION BY stage ORDER BY place) AS arrived
        FROM run_parts WHERE run_id = :run_id AND part_index <> :closing
    ),
    lines (place, at, what, said) AS (
        SELECT 0, requested_at, 'opened', jsonb_build_object(
            'kind', kind, 'first_session', first_session, 'last_session', last_session,
            'symbols', jsonb_array_length(nullif(run -> 'symbols', 'null')),
            'portfolios', jsonb_array_length(nullif(run -> 'portfolio_ids', 'null')),
            'requested_by', run ->> 'requested_by')
        FROM run
        UNION ALL
        SELECT place, arrived_at, 'closed',
               jsonb_build_object('stage', stage, 'never_came', failures -> 0 ->> 'subject')
        FROM run_parts WHERE run_id = :run_id AND part_index = :closing
        UNION ALL
        SELECT place, arrived_at, 'part', jsonb_build_object(
            'stage', stage, 'index', part_index, 'total', part_total, 'subjects', subjects,
            'arrived', arrived,
            'failed', coalesce((
                SELECT jsonb_object_agg(reason, cells) FROM (
                    SELECT failure ->> 'reason' AS reason, count(*) AS cells
                    FROM jsonb_array_elements(failures) AS failure GROUP BY 1
                ) AS reasons
            ), '{}'))
        FROM counted WHERE place > :after
        UNION ALL
        SELECT place, recorded_at, 'dead_letter',
               jsonb_build_object('topic', topic, 'consumer', consumer, 'reason', reason)
        FROM dead_letters WHERE run_id = :run_id
        UNION ALL
        SELECT ended_place, finished_at, 'ended', jsonb_build_object('status', status, 'why', why)
        FROM run WHERE ended_place IS NOT NULL
    )
    SELECT lines.*, run.requested_at FROM lines, run WHERE place > :after ORDER BY place LIMIT :limit
    """
).columns(sa.column("place"), sa.column("at"), sa.column("what"), sa.column("said", JSONB), sa.column("requested_at"))

# Of one size are runs over as many days, symbols and portfolios; all of them are as many as all of them.
_PACE = sa.text(
    """
    SELECT run.requested_at, clock_timestamp() AS read_at, array(
        SELECT extract(epoch FROM past.finished_at - past.requested_at)::float8
        FROM (
            SELECT * FROM runs AS completed
            WHERE completed.kind = run.kind AND completed.status IN ('completed', 'completed_with_errors')
            ORDER BY completed.requested_at DESC LIMIT 200
        ) AS past
        WHERE past.last_session - past.first_session = run.last_session - run.first_session
          AND jsonb_array_length(nullif(past.run -> 'symbols', 'null'))
              IS NOT DISTINCT FROM jsonb_array_length(nullif(run.run -> 'symbols', 'null'))
          AND jsonb_array_length(nullif(past.run -> 'portfolio_ids', 'null'))
              IS NOT DISTINCT FROM jsonb_array_length(nullif(run.run -> 'portfolio_ids', 'null'))
        ORDER BY past.requested_at DESC LIMIT :runs
    ) AS past
    FROM runs AS run WHERE run_id = :run_id
    """
)


class LogRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def list_lines(self, run_id: UUID, *, after: int, limit: int) -> list[Line]:
        """Return the lines of a run behind a place, the oldest first; none of a run that nobody knows."""
        parameters = {"run_id": run_id, "after": after, "limit": limit, "closing": CLOSING}
        rows = await self._connection.execute(_LINES, parameters)
        return [_line(row.place, row.at, What(row.what), row.said, row.requested_at) for row in rows]

    async def find_pace(self, run_id: UUID) -> Pace | None:
        """Return how long a run may take, if it is known."""
        row = (await self._connection.execute(_PACE, {"run_id": run_id, "runs": RUNS_TO_LEARN_FROM})).one_or_none()
        return None if row is None else Pace(row.requested_at, row.read_at, row.past)


def _line(place: int, at: datetime, what: What, said: Any, requested_at: datetime) -> Line:
    match what:
        case What.OPENED:
            return opened_line(Asked(**said), at)
        case What.PART:
            return part_line(place, at, Arrival(**said), requested_at=requested_at)
        case What.DEAD_LETTER:
            return letter_line(place, at, **said)
        case What.CLOSED:
            return closed_line(place, at, **said)
        case What.ENDED:
            return ended_line(place, at, said["status"], said["why"], requested_at=requested_at)
