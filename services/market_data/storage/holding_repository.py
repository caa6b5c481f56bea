"""The SQL of what books hold, as they last said."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.portfolio import Holding


class HoldingRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def replace_holdings(self, portfolio_id: UUID, holdings: Sequence[Holding]) -> None:
        """Keep what a book holds now and since when, in place of what it held."""
        await self._connection.execute(
            sa.text("DELETE FROM held_symbols WHERE portfolio_id = :portfolio_id"), {"portfolio_id": portfolio_id}
        )
        statement = sa.text(
            """
            INSERT INTO held_symbols (portfolio_id, symbol, since)
            SELECT :portfolio_id, symbol, min(since)
            FROM unnest(CAST(:symbols AS text[]), CAST(:since AS date[])) AS h (symbol, since) GROUP BY symbol
            """
        )
        now = [holding for holding in holdings if holding.until is None]
        values = {"symbols": [each.symbol for each in now], "since": [each.since for each in now]}
        await self._connection.execute(statement, {"portfolio_id": portfolio_id, **values})

    async def load_held(self, symbols: Sequence[str]) -> dict[str, date]:
        """Return since when each of these that any book holds is held."""
        query = sa.text(
            "SELECT symbol, min(since) AS since FROM held_symbols WHERE symbol = ANY(:symbols) GROUP BY symbol"
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: row.since for row in rows}
