"""The SQL of what indices are made of."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.storage.repository import MarketDataRepository
from shared.contracts.market_data import ConstituentList
from shared.db.bulk import Columns, upsert


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


_TAKE_UNTOLD = sa.text(
    """
    WITH waiting AS (
        SELECT universe, as_of, loaded_at, symbols FROM untold_universes
        ORDER BY as_of DESC, universe LIMIT :lists FOR UPDATE SKIP LOCKED
    ), taken AS (
        SELECT universe, as_of, loaded_at FROM (
            SELECT *, sum(symbols) OVER (ORDER BY as_of DESC, universe) - symbols AS before FROM waiting) AS w
        WHERE before + symbols <= :symbols OR before = 0
    ), told AS (
        DELETE FROM untold_universes u USING taken t WHERE (u.universe, u.as_of) = (t.universe, t.as_of)
    )
    SELECT t.universe, t.as_of, t.loaded_at,
        array_agg(c.symbol ORDER BY c.symbol) AS symbols, array_agg(c.weight ORDER BY c.symbol) AS weights
    FROM taken t JOIN constituents c USING (universe, as_of)
    GROUP BY t.universe, t.as_of, t.loaded_at ORDER BY t.universe, t.as_of
    """
)
# What one message brings along at most: the constituents of one list as long as may be loaded.
_AT_ONCE: Final = {"lists": 100, "symbols": 10_000}


class UniverseRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_constituents(
        self, universe: str, as_of: date, weights: Mapping[str, float], *, loaded_at: datetime
    ) -> None:
        """Write a list in place of what is there of that day, to be told by a run, and watch its symbols."""
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
        untold: Columns = {
            "universe": [universe],
            "as_of": [as_of],
            "loaded_at": [loaded_at],
            "symbols": [len(weights)],
        }
        await upsert(self._connection, "untold_universes", untold, key=("universe", "as_of"))

    async def take_untold(self) -> list[ConstituentList]:
        """Return lists that no run has told of, the newest days first, and forget with the commit that they wait.

        As many as one message takes; what another run is about to tell is left to it.
        """
        rows = await self._connection.execute(_TAKE_UNTOLD, _AT_ONCE)
        return [ConstituentList.model_validate(row._asdict()) for row in rows]

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
