"""The SQL of keyed requests: what a key stands for, and what it was answered with."""

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


class KeyedRow(NamedTuple):
    """What was asked for with a key, as a digest, and what answered it."""

    digest: str
    portfolio_id: UUID
    run_id: UUID
    positions: int


class KeyRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, key: str) -> None:
        """Let nobody else answer a request with this key until the transaction ends."""
        statement = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('portfolio key ' || :key, 0))")
        await self._connection.execute(statement, {"key": key})

    async def find_request(self, key: str) -> KeyedRow | None:
        """Return the request that this key was first given for."""
        query = sa.text(f"SELECT {', '.join(KeyedRow._fields)} FROM keyed_requests WHERE idempotency_key = :key")
        row = (await self._connection.execute(query, {"key": key})).one_or_none()
        return None if row is None else KeyedRow._make(row)

    async def append_request(self, key: str, row: KeyedRow) -> None:
        """Remember what a key stands for."""
        names = KeyedRow._fields
        statement = sa.text(
            f"INSERT INTO keyed_requests (idempotency_key, {', '.join(names)}) VALUES (:key, :{', :'.join(names)})"
        )
        await self._connection.execute(statement, {"key": key, **row._asdict()})
