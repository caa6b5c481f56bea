"""The SQL of what indices are made of, as market_data has told."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.risk.core.active_share import Constituents
from shared.contracts.market_data import ConstituentList
from shared.db.bulk import Columns, Replacing, upsert

_FIND = sa.text(
    "SELECT as_of, symbols, weights FROM constituents WHERE universe = :name AND as_of <= :as_of "
    "ORDER BY as_of DESC LIMIT 1"
)
_NEWER: Final = Replacing(position="loaded_at")


class UniverseRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_constituents(self, lists: Sequence[ConstituentList]) -> None:
        """Keep lists; one that was loaded earlier does not replace a later one of its day."""
        columns: Columns = {
            "universe": [each.universe for each in lists],
            "as_of": [each.as_of for each in lists],
            "loaded_at": [each.loaded_at for each in lists],
            "symbols": [each.symbols for each in lists],
            "weights": [each.weights for each in lists],
        }
        await upsert(self._connection, "constituents", columns, key=("universe", "as_of"), replacing=_NEWER)

    async def find_constituents(self, name: str, as_of: date) -> Constituents | None:
        """Return the newest list of an index that is not after a session."""
        row = (await self._connection.execute(_FIND, {"name": name, "as_of": as_of})).one_or_none()
        return None if row is None else Constituents(name, row.as_of, dict(zip(row.symbols, row.weights, strict=True)))
