"""What was known at an instant, over HTTP: refused where it can no longer be told."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from pydantic import TypeAdapter

from shared.db.retention import find_first_known
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem
from shared.selection import Instant

_INSTANT: Final = TypeAdapter(Instant)


def of_what_is_kept(unit_of_work: UnitOfWorkFactory) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency of every route that tells what was known at an instant."""

    async def of_what_is_kept(request: Request) -> None:
        """Refuse an instant of which superseded revisions may have been forgotten: an answer could be another one."""
        text = request.query_params.get("known_at")
        if text is None:
            return
        try:
            known_at = _INSTANT.validate_python(text)
        except ValueError:
            # The route says what is wrong with it.
            return
        async with unit_of_work.overseeing() as connection:
            first = await find_first_known(connection)
        if first is not None and known_at < first:
            raise Problem(410, f"what was known before {first:%Y-%m-%dT%H:%M:%SZ} is kept no more, was {known_at}")

    return of_what_is_kept
