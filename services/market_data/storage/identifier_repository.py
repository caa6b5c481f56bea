"""The SQL of what shares are called."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.names import Identifier, Names
from shared.db.unit_of_work import UnitOfWorkFactory

_COLUMNS = "symbol, name, vendor, first_day, last_day"


class IdentifierRow(NamedTuple):
    """An identifier, who said it, why and when, and who took it back."""

    identifier_id: int
    symbol: str
    name: str
    vendor: str
    first_day: date
    last_day: date
    source: str
    why: str
    said_by: str
    said_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None

    @property
    def identifier(self) -> Identifier:
        """What it says."""
        return Identifier(self.symbol, self.name, self.vendor, self.first_day, self.last_day)


_ROW = ", ".join(IdentifierRow._fields)


class IdentifierRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Let nobody else change what shares are called until the end: each entry has to go with the others."""
        await self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('market_data.identifiers'))"))

    async def load_identifiers(self) -> list[Identifier]:
        """Return what counts."""
        query = sa.text(f"SELECT {_COLUMNS} FROM identifiers WHERE withdrawn_at IS NULL ORDER BY identifier_id")
        return [Identifier(*row) for row in await self._connection.execute(query)]

    async def list_identifiers(self, symbol: str | None, *, after: int, limit: int) -> list[IdentifierRow]:
        """Return what was said, also what was taken back, of one share under any of its names where one is given."""
        query = sa.text(
            f"""
            SELECT {_ROW} FROM identifiers
            WHERE identifier_id > :after AND (CAST(:symbol AS text) IS NULL OR :symbol IN (symbol, name))
            ORDER BY identifier_id LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"symbol": symbol, "after": after, "limit": limit})
        return [IdentifierRow._make(row) for row in rows]

    async def find_identifier(self, identifier_id: int) -> IdentifierRow | None:
        """Return an entry."""
        query = sa.text(f"SELECT {_ROW} FROM identifiers WHERE identifier_id = :identifier_id")
        row = (await self._connection.execute(query, {"identifier_id": identifier_id})).one_or_none()
        return None if row is None else IdentifierRow._make(row)

    async def store_identifier(self, identifier: Identifier, *, said_by: str, why: str) -> int:
        """Keep what a person says, also where it was taken back before; return its number."""
        statement = sa.text(
            f"""
            INSERT INTO identifiers ({_COLUMNS}, source, said_by, why)
            VALUES (:symbol, :name, :vendor, :first_day, :last_day, 'operator', :said_by, :why)
            ON CONFLICT ({_COLUMNS}) DO UPDATE SET source = excluded.source, said_by = excluded.said_by,
                why = excluded.why, said_at = clock_timestamp(), withdrawn_by = NULL, withdrawn_at = NULL
            RETURNING identifier_id
            """
        )
        parameters = {**_columns(identifier), "said_by": said_by, "why": why}
        return int(await self._connection.scalar(statement, parameters) or 0)

    async def append_identifiers(self, identifiers: Sequence[Identifier], *, source: str, why: str) -> int:
        """Keep what a vendor tells, but for what was taken back; return how many are new."""
        statement = sa.text(
            f"""
            INSERT INTO identifiers ({_COLUMNS}, source, said_by, why)
            VALUES (:symbol, :name, :vendor, :first_day, :last_day, :source, :source, :why) ON CONFLICT DO NOTHING
            RETURNING identifier_id
            """
        )
        told = [{**_columns(each), "source": source, "why": why} for each in identifiers]
        return sum([await self._connection.scalar(statement, each) is not None for each in told])

    async def withdraw(self, identifier_id: int, *, by: str) -> None:
        """Let an entry count no more."""
        statement = sa.text(
            "UPDATE identifiers SET withdrawn_by = :by, withdrawn_at = clock_timestamp() WHERE identifier_id = :id"
        )
        await self._connection.execute(statement, {"id": identifier_id, "by": by})

    async def load_lost(self, symbols: Sequence[str], *, before: date, since: date) -> dict[str, date]:
        """Return the symbols whose last bar is of before a day, or that have none, and when the last one was.

        `since` of those that never had one.
        """
        query = sa.text(
            """
            SELECT symbol, coalesce(last_bar, :since) AS day FROM (
                SELECT symbol, (SELECT max(session) FROM bars b WHERE b.symbol_id = i.symbol_id) AS last_bar
                FROM instruments i WHERE symbol = ANY(CAST(:symbols AS text[]))) newest
            WHERE last_bar IS NULL OR last_bar < :before
            """
        )
        parameters = {"symbols": list(symbols), "before": before, "since": since}
        return {row.symbol: row.day for row in await self._connection.execute(query, parameters)}

    async def forget_asked(self, symbols: Sequence[str]) -> None:
        """Let everything be asked for again of these symbols, as nobody was ever asked for them under these names."""
        statement = sa.text(
            """
            UPDATE instruments SET checked_first = NULL, checked_through = NULL, checked_edition = NULL,
                profile_fetched_at = NULL, profile_edition = NULL,
                fundamentals_fetched_at = NULL, fundamentals_edition = NULL
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        await self._connection.execute(statement, {"symbols": list(symbols)})
        forget = sa.text("DELETE FROM absences WHERE symbol = ANY(CAST(:symbols AS text[]))")
        await self._connection.execute(forget, {"symbols": list(symbols)})


class StoredRegister:
    """What shares are called, as it is stored now."""

    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work

    async def names(self) -> Names:
        """Return the names."""
        async with self._unit_of_work.reading() as connection:
            return Names(await IdentifierRepository(connection).load_identifiers())


def _columns(identifier: Identifier) -> dict[str, object]:
    return {name: getattr(identifier, name) for name in Identifier.__slots__}
