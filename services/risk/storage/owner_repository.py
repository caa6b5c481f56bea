"""The SQL of whose the portfolios are."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_STORE = sa.text(
    "INSERT INTO owners (portfolio_id, owner) VALUES (:portfolio_id, :owner) "
    "ON CONFLICT (portfolio_id) DO UPDATE SET owner = excluded.owner"
)


class OwnerRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_owner(self, portfolio_id: UUID, owner: str | None) -> None:
        """Keep whose a portfolio is now; None: nobody's."""
        await self._connection.execute(_STORE, {"portfolio_id": portfolio_id, "owner": owner})
