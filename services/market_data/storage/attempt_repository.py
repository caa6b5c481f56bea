"""The SQL of attempts: who was asked for a symbol in vain, and what they said."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.attempts import Attempt
from shared.contracts.run import Run

KEPT_FOR: Final = timedelta(days=90)


class AttemptRow(NamedTuple):
    """What a provider said of a symbol when it was asked for a kind up to a session; `place`: as which it was asked."""

    kind: str
    session: date
    place: int
    provider: str
    outcome: str
    detail: str
    run_id: UUID
    tried_at: datetime


class AttemptRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_attempts(
        self, kind: str, tried: Mapping[str, Sequence[Attempt]], *, asked: Sequence[str], run: Run
    ) -> None:
        """Keep what was tried for symbols that were asked for, in place of what was tried for the same session.

        Nothing is kept of a symbol of which the first provider had what was asked.
        """
        forget = sa.text(
            "DELETE FROM attempts WHERE kind = :kind AND session = :session AND symbol = ANY(CAST(:symbols AS text[]))"
        )
        about = {"kind": kind, "session": run.last_session}
        await self._connection.execute(forget, {**about, "symbols": list(asked)})
        statement = sa.text(
            """
            INSERT INTO attempts (symbol, kind, session, place, provider, outcome, detail, run_id, tried_at)
            VALUES (:symbol, :kind, :session, :place, :provider, :outcome, :detail, :run_id, now())
            """
        )
        rows: list[dict[str, Any]] = [
            {**about, "symbol": symbol, "place": place, "provider": each.provider, "outcome": each.outcome}
            | {"detail": each.detail, "run_id": run.run_id}
            for symbol, attempts in sorted(tried.items())
            for place, each in enumerate(attempts)
        ]
        if rows:
            await self._connection.execute(statement, rows)

    async def forget_old(self) -> None:
        """Forget what was tried long ago, and how many requests that took."""
        for table, column in (("attempts", "tried_at"), ("run_requests", "counted_at")):
            statement = sa.text(f"DELETE FROM {table} WHERE {column} < now() - CAST(:kept AS interval)")
            await self._connection.execute(statement, {"kept": KEPT_FOR})

    async def list_attempts(self, symbol: str, as_of: date, *, after: tuple[str, int], limit: int) -> list[AttemptRow]:
        """Return what was tried for the newest session of each kind up to a day, in the order in which it was."""
        query = sa.text(
            f"""
            SELECT {", ".join(AttemptRow._fields)} FROM attempts a
            WHERE symbol = :symbol AND session = (
                SELECT max(session) FROM attempts b
                WHERE b.symbol = a.symbol AND b.kind = a.kind AND b.session <= :as_of)
              AND (kind, place) > (:kind, :place) ORDER BY kind, place LIMIT :limit
            """
        )
        values = {"symbol": symbol, "as_of": as_of, "kind": after[0], "place": after[1], "limit": limit}
        return [AttemptRow._make(row) for row in await self._connection.execute(query, values)]
