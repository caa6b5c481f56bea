"""Requests with a key: one that is repeated does nothing more, and is answered as it was first."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

Answer = TypeVar("Answer")

# What a key stands for, as a digest, and what it was answered with, as JSON.
KEYED_REQUESTS = """
    CREATE TABLE keyed_requests (
        idempotency_key text PRIMARY KEY,
        digest text NOT NULL,
        answer text NOT NULL,
        answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
# Advisory locks are the database's, which the services may share.
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' key ' || :key, 0))")
_FIND = sa.text("SELECT digest, answer FROM keyed_requests WHERE idempotency_key = :key")
_APPEND = sa.text("INSERT INTO keyed_requests (idempotency_key, digest, answer) VALUES (:key, :digest, :answer)")


class IdempotencyKeyReused(Exception):
    """The key stands for another request."""

    def __init__(self, key: str, answer: str) -> None:
        self.key = key
        super().__init__(f"the key {key!r} stands for another request, answered with {answer}")


async def answer_once(
    connection: AsyncConnection,
    key: str | None,
    request: str,
    kind: type[Answer],
    answer: Callable[[], Awaitable[tuple[Answer, bool]]],
) -> tuple[Answer, bool]:
    """Return what a request was answered with, and whether that is new; without a key, or a known one, answer it.

    Parameters
    ----------
    connection : AsyncConnection
        In the transaction of the answer.
    key : str or None
        What the caller repeats the request with.
    request : str
        What is asked for, in words that are the same whenever it is the same.
    kind : type
        Of the answer, which JSON can hold.
    answer : callable
        Does what is asked for; tells what came of it, and whether that is new.

    Raises
    ------
    IdempotencyKeyReused
        If the key stands for another request.
    """
    if key is None:
        return await answer()
    digest, form = sha256(request.encode()).hexdigest(), TypeAdapter(kind)
    await connection.execute(_LOCK, {"key": key})
    known = (await connection.execute(_FIND, {"key": key})).one_or_none()
    if known is not None:
        if known.digest != digest:
            raise IdempotencyKeyReused(key, known.answer)
        return form.validate_json(known.answer), False
    answered, is_new = await answer()
    await connection.execute(_APPEND, {"key": key, "digest": digest, "answer": form.dump_json(answered).decode()})
    return answered, is_new
