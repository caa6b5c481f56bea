"""Who looks at a page: its reads go to the platform with the caller's own credentials, and with no others."""

from typing import Annotated, Final
from urllib.parse import parse_qs

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request

from services.ops.client.client import ApiClient, connections_to
from services.ops.errors import Refused
from shared.bodies import read_body

# Who requests, where the platform has no name of its own for the caller.
ASKER: Final = "board"
_CREDENTIALS: Final = ("authorization", "cookie", "x-csrf-token")
# A page that waits longer for one answer says that the platform is away.
_ANSWERS_WITHIN_S: Final = 20.0
_MOST_FORM_BYTES: Final = 64 * 1024


def know_platform(app: FastAPI, url: str) -> None:
    """Have the pages of an application ask the platform at an address."""
    app.state.platform = connections_to(url, within_s=_ANSWERS_WITHIN_S)


def _caller(request: Request) -> ApiClient:
    connections: httpx.Client = request.app.state.platform
    given = {name: value for name in _CREDENTIALS if (value := request.headers.get(name)) is not None}
    return ApiClient(connections, given)


async def _form(request: Request) -> dict[str, str]:
    try:
        body = await read_body(request.headers, request.receive, most=_MOST_FORM_BYTES)
    except HTTPException as refusal:
        raise Refused(refusal.status_code, refusal.detail) from None
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[-1].strip() for name, values in fields.items()}


# The platform, asked in the caller's name.
Caller = Annotated[ApiClient, Depends(_caller)]
# What somebody has filled in, by field.
Form = Annotated[dict[str, str], Depends(_form)]
