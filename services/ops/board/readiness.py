"""Whether portfolios are ready, and of one that is not, why and what to do."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.ops.board.caller import Caller
from services.ops.board.pages import page, page_of
from services.ops.board.paths import READINESS_PAGE
from services.ops.client.routes import PORTFOLIO_READINESS, READINESS

_SHOWN: Final = 100
_STATES: Final = ("blocked", "stale", "pending", "replaying", "ready")

router = APIRouter()


@router.get(READINESS_PAGE, response_class=HTMLResponse)
def readiness(request: Request, caller: Caller) -> HTMLResponse:
    """List how portfolios stand at a session."""
    asked = {name: request.query_params.get(name) or None for name in ("as_of", "state")}
    found = caller.get(READINESS, limit=_SHOWN, cursor=request.query_params.get("cursor"), **asked)
    shown = page_of(request, {"items": found["items"], "next": found["next"]})
    return page(request, "readiness.html.j2", found=found, shown=shown, asked=asked, states=_STATES)


@router.get(READINESS_PAGE + "/{portfolio_id}", response_class=HTMLResponse)
def portfolio(request: Request, caller: Caller, portfolio_id: str) -> HTMLResponse:
    """Show how a portfolio stands."""
    as_of = request.query_params.get("as_of") or None
    found = caller.get(PORTFOLIO_READINESS.at(portfolio_id=portfolio_id), as_of=as_of)
    return page(request, "portfolio_readiness.html.j2", found=found)
