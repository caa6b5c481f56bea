"""The SQL of risk-free rates."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.risk_free import Quoted
from shared.db.bulk import Columns, upsert


class RateRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_rates(self, rates: Mapping[date, float]) -> None:
        """Write these rates in place of those of the same days."""
        columns: Columns = {"day": list(rates), "rate": list(rates.values())}
        await upsert(self._connection, "risk_free_rates", columns, key=("day",))

    async def load_rates(self, until: date) -> Quoted | None:
        """Return all rates up to a day, the oldest first; None where nobody ever gave any."""
        query = sa.text("SELECT day, rate FROM risk_free_rates ORDER BY day")
        rows = [(row.day, row.rate) for row in await self._connection.execute(query)]
        if not rows:
            return None
        known = [row for row in rows if row[0] <= until]
        return Quoted(
            np.array([day for day, _ in known], dtype="datetime64[D]"),
            np.array([rate for _, rate in known], dtype=np.float64),
        )
