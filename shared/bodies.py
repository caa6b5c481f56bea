"""Reading the body of a request within a size and a time."""

import asyncio
from collections.abc import Mapping
from typing import Final

from fastapi import HTTPException
from starlette.types import Receive

# The largest positions file, as the text of a JSON document.
MAX_BODY_BYTES: Final = 24 * 1024 * 1024
BODY_WITHIN_S: Final = 60.0


async def read_body(headers: Mapping[str, str], receive: Receive, *, most: int = MAX_BODY_BYTES) -> bytes:
    """Return a body, whatever its headers say of it.

    Raises
    ------
    HTTPException
        408 where it does not arrive in time, 413 where it has more bytes than it may have.
    """
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if len(body) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise HTTPException(408, detail=f"a body must arrive within {BODY_WITHIN_S:g} seconds") from None
    return bytes(body)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, detail=f"a body must have at most {most} bytes")
