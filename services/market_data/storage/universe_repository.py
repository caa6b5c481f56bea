"""The SQL of what indices are made of."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.storage.repository import MarketDataRepository


class UniverseRow(NamedTuple):
    """A list of the constituents of an index, and how many they are."""

    universe: str
    as_of: date
    symbols: int


class ConstituentRow(NamedTuple):
    """A constituent, and the day from which its weight counts."""

    as_of: date
    symbol: str
    weight: float


class UniverseRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_constituents(self, universe: str, as_of: date, weights: Mapping[str, float]) -> None:
        """Write a list in place of what is there of that day, and watch its symbols."""
        parameters = {"universe": universe, "as_of": as_of}
        await self._connection.execute(
            sa.text("DELETE FROM constituents WHERE universe = :universe AND as_of = :as_of"), parameters
        )
        statement = sa.text(
            """
            INSERT INTO constituents (universe, as_of, symbol, weight)
            SELECT :universe, :as_of, * FROM unnest(CAST(:symbols AS text[]), CAST(:weights AS double precision[]))
            """
        )
        columns = {"symbols": list(weights), "weights": list(weights.values())}
        await self._connection.execute(statement, parameters | columns)
        await MarketDataRepository(self._connection).store_instruments(sorted(weights))

    async def list_universes(self, *, after: tuple[str, date], limit: int) -> list[UniverseRow]:
        """Return the lists, by name and day."""
        query = sa.text(
            """
            SELECT universe, as_of, count(*) FROM constituents WHERE (universe, as_of) > (:universe, :as_of)
            GROUP BY universe, as_of ORDER BY universe, as_of LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"universe": after[0], "as_of": after[1], "limit": limit})
        return [UniverseRow._make(row) for row in rows]

    async def list_constituents(self, universe: str, as_of: date, *, after: str, limit: int) -> list[ConstituentRow]:
        """Return the newest list of an index up to a day, by symbol."""
        query = sa.text(
            """
            SELECT as_of, symbol, weight FROM constituents
            WHERE universe = :universe AND symbol > :after AND as_of = (
                SELECT max(as_of) FROM constituents WHERE universe = :universe AND as_of <= :as_of)
            ORDER BY symbol LIMIT :limit
            """
        )
        parameters = {"universe": universe, "as_of": as_of, "after": after, "limit": limit}
        return [ConstituentRow._make(row) for row in await self._connection.execute(query, parameters)]
