"""Answer a request that is repeated with the same key as it was answered first."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from uuid import UUID

from services.scheduler.commands.errors import IdempotencyKeyReused
from services.scheduler.storage.key_repository import KeyedRequest, KeyRepository
from shared.db.unit_of_work import UnitOfWork

# What answers a request (a run, a backfill), and whether it is new.
Answer = tuple[UUID, bool]


async def answer_once(
    key: str | None, request: str, answer: Callable[[], Awaitable[Answer]], uow: UnitOfWork
) -> Answer:
    """Return what the request was answered with, however that stands now; without a key, or a known one, answer it.

    Raises
    ------
    IdempotencyKeyReused
        If the key stands for another request.
    """
    if key is None:
        return await answer()
    keys, digest = KeyRepository(uow.connection), sha256(request.encode()).hexdigest()
    await keys.lock(key)
    known = await keys.find_request(key)
    if known is not None:
        if known.digest != digest:
            raise IdempotencyKeyReused(key, known.answer)
        return known.answer, False
    answered, is_new = await answer()
    await keys.append_request(KeyedRequest(key, digest, answered))
    return answered, is_new
