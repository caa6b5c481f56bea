"""The SQL of what changed: two revisions of snapshots, and what positions did between or in them."""

from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.changes import Earned, Held
from services.portfolio.storage.snapshot_repository import SnapshotRow

_COLUMNS: Final = ", ".join(SnapshotRow._fields)
_FIND: Final = sa.text(
    f"""
    SELECT {_COLUMNS} FROM snapshots
    WHERE portfolio_id = :portfolio_id AND as_of <= :until AND (CAST(:revision AS integer) IS NULL
        OR (as_of = :until AND revision = :revision))
    ORDER BY as_of DESC, revision DESC LIMIT 1
    """
)
# Of many books, and of each of them what is added up.
_BETWEEN: Final = sa.text(
    """
    WITH newest AS (
        SELECT portfolio_id, as_of, max(revision) AS revision FROM snapshots
        WHERE portfolio_id = :portfolio_id AND as_of > :since AND as_of <= :until GROUP BY portfolio_id, as_of
    ), held AS (
        SELECT v.position_id FROM book_values_whole b
            CROSS JOIN LATERAL unnest(b.position_id, b.quantity) AS v (position_id, quantity)
        WHERE portfolio_id = :portfolio_id AND as_of = :since AND revision = :revision AND v.quantity <> 0
    )
    SELECT v.position_id, max(v.symbol) AS symbol, sum(v.pnl) * 0.01 AS pnl, sum(v.exit_pnl) * 0.01 AS exit_pnl,
        sum(v.dividends) * 0.01 AS dividends, v.position_id NOT IN (SELECT position_id FROM held) AS entered
    FROM newest JOIN book_values_whole b USING (portfolio_id, as_of, revision)
        CROSS JOIN LATERAL unnest(b.position_id, b.symbol, b.pnl, b.exit_pnl, b.dividends)
            AS v (position_id, symbol, pnl, exit_pnl, dividends)
    GROUP BY v.position_id
    """
)
_FLOWS: Final = sa.text(
    """
    SELECT coalesce(sum(flow), 0) FROM (
        SELECT DISTINCT ON (as_of) flow FROM snapshots
        WHERE portfolio_id = :portfolio_id AND as_of > :since AND as_of <= :until ORDER BY as_of, revision DESC
    ) newest
    """
)
_HELD: Final = sa.text(
    """
    SELECT position_id, symbol, CAST(quantity AS numeric) AS quantity, CAST(mark AS numeric) AS mark,
        pnl, exit_pnl, dividends FROM valued_positions
    WHERE portfolio_id = :portfolio_id AND as_of = :as_of AND revision = :revision
    """
)


class ChangeRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find_snapshot(
        self, portfolio_id: UUID, until: date, *, revision: int | None = None
    ) -> SnapshotRow | None:
        """Return the newest snapshot that is not after a session, or a given revision of exactly that session."""
        parameters = {"portfolio_id": portfolio_id, "until": until, "revision": revision}
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else SnapshotRow._make(row)

    async def load_earned(self, before: SnapshotRow, until: date) -> list[Earned]:
        """Return what each position earned over the sessions after a snapshot's."""
        parameters = {
            "portfolio_id": before.portfolio_id,
            "since": before.as_of,
            "revision": before.revision,
            "until": until,
        }
        rows = await self._connection.execute(_BETWEEN, parameters)
        return [Earned(**row._asdict()) for row in rows]

    async def sum_flows(self, before: SnapshotRow, until: date) -> Decimal:
        """Return what was paid in less what was taken out over the sessions after a snapshot's."""
        parameters = {"portfolio_id": before.portfolio_id, "since": before.as_of, "until": until}
        flows: Decimal = (await self._connection.execute(_FLOWS, parameters)).scalar_one()
        return flows

    async def load_held(self, snapshot: SnapshotRow) -> dict[UUID, Held]:
        """Return the positions of a revision of a snapshot."""
        parameters = {
            "portfolio_id": snapshot.portfolio_id,
            "as_of": snapshot.as_of,
            "revision": snapshot.revision,
        }
        rows = [row._asdict() for row in await self._connection.execute(_HELD, parameters)]
        return {row.pop("position_id"): Held(**row) for row in rows}
