"""The SQL of whose the portfolios are."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_STORE = sa.text(
    "INSERT INTO owners (portfolio_id, owner, edits) VALUES (:portfolio_id, :owner, :edits) "
    "ON CONFLICT (portfolio_id) DO UPDATE SET owner = excluded.owner, edits = excluded.edits "
    "WHERE owners.edits <= excluded.edits"
)


class OwnerRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_owner(self, portfolio_id: UUID, owner: str | None, *, edits: int) -> None:
        """Keep whose a portfolio is after so many edits, unless it is known after more of them; None: nobody's."""
        await self._connection.execute(_STORE, {"portfolio_id": portfolio_id, "owner": owner, "edits": edits})
