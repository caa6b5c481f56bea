"""Who did what, in all services: the newest first, of somebody and of a time."""

from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.ops.board.caller import Caller
from services.ops.board.pages import page
from services.ops.board.paths import AUDIT_PAGE
from services.ops.client.answers.audit import Noted
from services.ops.client.client import ApiClient
from services.ops.client.routes import AUDITS
from services.ops.client.together import together

_SHOWN = 100
# What actions are chosen by.
_CHOICE = ("principal", "since", "before")

router = APIRouter()


class _OfService(NamedTuple):
    service: str
    action: Noted


@router.get(AUDIT_PAGE, response_class=HTMLResponse)
def audit(request: Request, caller: Caller) -> HTMLResponse:
    """List what was changed over HTTP, the newest first."""
    only = {name: request.query_params.get(name) or None for name in _CHOICE}
    found = _newest(caller, only)
    shown, earlier = found[:_SHOWN], None
    if len(found) > len(shown):
        # Also those of the same moment, which the next page leaves out.
        end = shown[-1].action["at"]
        shown = [each for each in found if each.action["at"] >= end]
        asked = {name: text for name, text in {**only, "before": end}.items() if text}
        earlier = f"?{urlencode(asked)}"
    return page(request, "audit.html.j2", found=shown, only=only, earlier=earlier)


def _newest(caller: ApiClient, only: dict[str, str | None]) -> list[_OfService]:
    with together() as ask:
        asked = {service: ask(caller.get, route, limit=_SHOWN + 1, **only) for service, route in AUDITS.items()}
        noted = [
            _OfService(service, action) for service, answer in asked.items() for action in answer.result()["items"]
        ]
    return sorted(noted, key=lambda each: each.action["at"], reverse=True)
