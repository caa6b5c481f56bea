"""The SQL of keyed requests: what a key stands for, and what it was answered with."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """What was asked for with a key, as a digest, and the run or backfill that answered it."""

    key: str
    digest: str
    answer: UUID


class KeyRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, key: str) -> None:
        """Let nobody else answer a request with this key until the transaction ends."""
        statement = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('key ' || :key, 0))")
        await self._connection.execute(statement, {"key": key})

    async def find_request(self, key: str) -> KeyedRequest | None:
        """Return the request that this key was first given for."""
        query = sa.text("SELECT idempotency_key, digest, answer FROM keyed_requests WHERE idempotency_key = :key")
        row = (await self._connection.execute(query, {"key": key})).one_or_none()
        return None if row is None else KeyedRequest(*row)

    async def append_request(self, request: KeyedRequest) -> None:
        """Remember what a key stands for."""
        statement = sa.text(
            "INSERT INTO keyed_requests (idempotency_key, digest, answer) VALUES (:key, :digest, :answer)"
        )
        parameters = {"key": request.key, "digest": request.digest, "answer": request.answer}
        await self._connection.execute(statement, parameters)
