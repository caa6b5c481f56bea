"""The SQL of open interest."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.open_interest import OpenInterest
from shared.db.bulk import Columns, Replacing, upsert


class InterestRow(NamedTuple):
    """How many contracts were open at the end of a session, who said so, and when it was said as it is."""

    session: date
    contracts: int
    source: str
    fetched_at: datetime


class InterestRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load_newest(self, options: Sequence[str]) -> dict[str, date]:
        """Return the newest session of each option of which it is known."""
        query = sa.text(
            """
            SELECT symbol, max(session) AS newest FROM open_interest
            WHERE symbol = ANY(CAST(:options AS text[])) GROUP BY symbol
            """
        )
        rows = await self._connection.execute(query, {"options": list(options)})
        return {row.symbol: row.newest for row in rows}

    async def store_open_interest(self, told: Sequence[OpenInterest], *, source: str, fetched_at: datetime) -> None:
        """Write what is told in place of what was of the same sessions."""
        newest = {(each.symbol, each.session): each for each in told}
        columns: Columns = {
            "symbol": [each.symbol for each in newest.values()],
            "session": [each.session for each in newest.values()],
            "contracts": [each.contracts for each in newest.values()],
            "source": [source] * len(newest),
            "fetched_at": [fetched_at] * len(newest),
        }
        replacing = Replacing(compare=("contracts", "source"))
        await upsert(self._connection, "open_interest", columns, key=("symbol", "session"), replacing=replacing)

    async def list_open_interest(self, option: str, *, first: date, last: date, limit: int) -> list[InterestRow]:
        """Return what is known of an option on [first, last], the oldest first."""
        query = sa.text(
            f"""
            SELECT {", ".join(InterestRow._fields)} FROM open_interest
            WHERE symbol = :option AND session BETWEEN :first AND :last ORDER BY session LIMIT :limit
            """
        )
        values = {"option": option, "first": first, "last": last, "limit": limit}
        return [InterestRow._make(row) for row in await self._connection.execute(query, values)]
