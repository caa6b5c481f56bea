"""The board: how the platform is, and its runs."""

from http import HTTPStatus
from typing import Final, TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.ops.board.caller import Caller
from services.ops.board.pages import page
from services.ops.client.client import ApiClient
from services.ops.client.routes import READY, RUNS
from services.ops.errors import Refused

_RUNS_SHOWN: Final = 10

router = APIRouter()


class Health(TypedDict):
    """Whether the platform can work."""

    is_ready: bool
    said: str | None


@router.get("/", response_class=HTMLResponse)
def board(request: Request, caller: Caller) -> HTMLResponse:
    """Show how the platform is."""
    runs = caller.get(RUNS, limit=_RUNS_SHOWN)["items"]
    return page(request, "overview.html.j2", health=_health(caller), runs=runs)


def _health(caller: ApiClient) -> Health:
    try:
        return {"is_ready": True, "said": caller.get(READY).get("remarks")}
    except Refused as not_ready:
        if not_ready.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return {"is_ready": False, "said": not_ready.detail}
