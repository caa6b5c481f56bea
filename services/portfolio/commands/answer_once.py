"""Answer a request that is repeated with the same key as it was answered first."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from services.portfolio.commands.errors import IdempotencyKeyReused
from services.portfolio.commands.request_calculation import Requested
from services.portfolio.storage.key_repository import KeyedRow, KeyRepository
from shared.db.unit_of_work import UnitOfWork


async def answer_once(
    key: str | None, request: str, answer: Callable[[UnitOfWork], Awaitable[Requested]], uow: UnitOfWork
) -> tuple[Requested, bool]:
    """Return what the request was answered with, and whether that is new; without a key, or a known one, answer it.

    Raises
    ------
    IdempotencyKeyReused
        If the key stands for another request.
    """
    if key is None:
        return await answer(uow), True
    keys, digest = KeyRepository(uow.connection), sha256(request.encode()).hexdigest()
    await keys.lock(key)
    known = await keys.find_request(key)
    if known is not None:
        if known.digest != digest:
            raise IdempotencyKeyReused(key)
        return Requested(known.portfolio_id, known.run_id, known.positions), False
    answered = await answer(uow)
    await keys.append_request(key, KeyedRow(digest, answered.portfolio_id, answered.run_id, answered.positions))
    return answered, True
