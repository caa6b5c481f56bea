"""Answers that need not be given again: who has one and says which (ETag) is told that it still holds."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response

from shared.auth import caller_of
from shared.dependencies import made

# Kept by who asked, for nobody else, and never shown without asking whether it still holds.
KEPT: Final = "private, no-cache"
_ROOT: Final = Path(__file__).parent.parent
_BYTES: Final = 12

IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=1_000, description="`ETag` of the answer that is there already"),
]


class StillHolds(Exception):
    """The answer that the caller has is the one that they would get."""

    def __init__(self, etag: str) -> None:
        self.etag = etag
        super().__init__(etag)


class Validator:
    """Says by what has been read which answer it makes, before it is made."""

    def __init__(self, request: Request, response: Response, if_none_match: IfNoneMatch = None) -> None:
        self._request = request
        self._response = response
        self._held = if_none_match

    def unless_held(self, *made_from: object) -> None:
        """Let the answer be made, and tell which it is, by revisions or by whole rows, which have theirs.

        Raises
        ------
        StillHolds
            If the caller has it.
        """
        caller = caller_of(self._request)
        url, name = str(self._request.url.path), None if caller is None else caller.name
        text = repr((_code(), url, self._request.url.query, name, made_from))
        etag = f'W/"{hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()}"'
        if self._held is not None and etag in _listed(self._held):
            raise StillHolds(etag)
        self._response.headers["ETag"] = etag
        self._response.headers["Cache-Control"] = KEPT


Held = Annotated[Validator, made(Validator)]


def _listed(held: str) -> Iterable[str]:
    return (each.strip() for each in held.split(","))


async def answer_held(_: Request, held: Exception) -> Response:
    """Answer that what the caller has still holds."""
    if not isinstance(held, StillHolds):
        raise held
    return Response(status_code=304, headers={"ETag": held.etag, "Cache-Control": KEPT})


def still_held() -> dict[int | str, dict[str, Any]]:
    """Return that a route may answer so, as its `responses`."""
    return {304: {"description": "What `If-None-Match` names still holds"}}


@cache
def _code() -> str:
    # The same rows are another answer after an upgrade: all that makes answers is a part of each.
    digest = hashlib.blake2b(digest_size=_BYTES)
    for path in sorted(each for room in ("services", "shared") for each in (_ROOT / room).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
