"""The SQL of interest rates."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.rates import AskedRates
from shared.db.bulk import Columns, Replacing, upsert


class RateRow(NamedTuple):
    """The rate of a day, who gave it, and when it was given as it is."""

    day: date
    rate: float
    source: str
    fetched_at: datetime


class RateRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load_asked(self) -> dict[str, AskedRates]:
        """Return what is known of each series that was ever asked for."""
        query = sa.text(
            "SELECT series, since, asked_at, (SELECT max(day) FROM rates r WHERE r.series = s.series) "
            "FROM rate_series s"
        )
        return {row[0]: AskedRates(*row[1:]) for row in await self._connection.execute(query)}

    async def store_asked(self, series: Sequence[str], *, since: date, at: datetime) -> None:
        """Remember that these series were asked for and answered."""
        statement = sa.text(
            """
            INSERT INTO rate_series AS s (series, since, asked_at) VALUES (:series, :since, :at)
            ON CONFLICT (series) DO UPDATE SET since = least(s.since, excluded.since), asked_at = excluded.asked_at
            """
        )
        if series:
            rows = [{"series": name, "since": since, "at": at} for name in sorted(series)]
            await self._connection.execute(statement, rows)

    async def store_rates(self, series: str, rates: Mapping[date, float], *, source: str, fetched_at: datetime) -> None:
        """Write the rates of a series in place of those of the same days."""
        columns: Columns = {
            "series": [series] * len(rates),
            "day": list(rates),
            "rate": list(rates.values()),
            "source": [source] * len(rates),
            "fetched_at": [fetched_at] * len(rates),
        }
        replacing = Replacing(compare=("rate", "source"))
        await upsert(self._connection, "rates", columns, key=("series", "day"), replacing=replacing)

    async def list_rates(self, series: str, *, first: date, last: date, limit: int) -> list[RateRow]:
        """Return the rates of a series on [first, last], the oldest first."""
        query = sa.text(
            f"""
            SELECT {", ".join(RateRow._fields)} FROM rates
            WHERE series = :series AND day BETWEEN :first AND :last ORDER BY day LIMIT :limit
            """
        )
        values = {"series": series, "first": first, "last": last, "limit": limit}
        return [RateRow._make(row) for row in await self._connection.execute(query, values)]
