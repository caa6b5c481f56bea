"""Positions in memory: those of a book are read again only when it is another one."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.positions import Position
from services.portfolio.storage.repository import PortfolioRepository

# Half a kilobyte each. Of more the books that were asked for last stay.
MOST_POSITIONS: Final = 100_000
_NONE: Final[tuple[str, tuple[Position, ...]]] = "", ()
# What rows say, not where they are: a view of them, as a rebuild has one, tells the same.
_VERSIONS: Final = sa.text(
    """
    SELECT portfolio_id, count(*) || ' ' || bit_xor(said) AS version FROM (
        SELECT portfolio_id, hashtextextended(CAST(p AS text), 0) AS said FROM positions p
        WHERE portfolio_id = ANY(CAST(:ids AS uuid[]))
        UNION ALL
        SELECT portfolio_id, hashtextextended(CAST(e AS text), 1)
        FROM position_exits e JOIN positions USING (position_id)
        WHERE portfolio_id = ANY(CAST(:ids AS uuid[]))
    ) rows GROUP BY portfolio_id
    """
)


class PositionShelf:
    """The positions of books as they were last read.

    Ask inside the books' locks: their versions are read first, so that what is kept is at least as new as it says.

    Parameters
    ----------
    most : int
        How many positions are kept.
    """

    def __init__(self, *, most: int = MOST_POSITIONS) -> None:
        self._most = most
        self._kept: dict[UUID, tuple[str, tuple[Position, ...]]] = {}
        self._positions = 0

    async def load(self, portfolio_ids: Sequence[UUID], connection: AsyncConnection) -> list[Position]:
        """Return the positions of portfolios as they are stored now, by portfolio and id."""
        rows = await connection.execute(_VERSIONS, {"ids": list(portfolio_ids)})
        versions: dict[UUID, str] = {row.portfolio_id: row.version for row in rows}
        found = {
            key: kept[1] for key, version in versions.items() if (kept := self._kept.get(key, _NONE))[0] == version
        }
        missing = [key for key in versions if key not in found]
        if missing:
            read: dict[UUID, list[Position]] = {key: [] for key in missing}
            for position in await PortfolioRepository(connection).load_positions(missing):
                read[position.portfolio_id].append(position)
            found |= {key: tuple(positions) for key, positions in read.items()}
        self._keep(versions, found)
        return [position for key in sorted(found) for position in found[key]]

    def _keep(self, versions: dict[UUID, str], found: dict[UUID, tuple[Position, ...]]) -> None:
        for key, positions in found.items():
            self._positions += len(positions) - len(self._kept.pop(key, _NONE)[1])
            self._kept[key] = versions[key], positions
        while self._positions > self._most:
            oldest = next(iter(self._kept))
            self._positions -= len(self._kept.pop(oldest)[1])
