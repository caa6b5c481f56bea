"""The schedule: what is next, what came of the last, pause and resume, and the night asked for by hand."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.ops.board.caller import ASKER, Caller, Form
from services.ops.board.pages import go_to, page
from services.ops.board.paths import SCHEDULE_PAGE
from services.ops.client.routes import PAUSE_SCHEDULE, RESUME_SCHEDULE, SCHEDULE, TRIGGER

_SHOWN: Final = 20
# What may be asked for by hand: the whole night, or one stage of it.
_STAGES: Final = ("nightly", "symbols", "portfolios")

router = APIRouter()


@router.get(SCHEDULE_PAGE, response_class=HTMLResponse)
def schedule(request: Request, caller: Caller) -> HTMLResponse:
    """Show the schedule."""
    return page(request, "schedule.html.j2", found=caller.get(SCHEDULE, limit=_SHOWN), stages=_STAGES)


@router.post(SCHEDULE_PAGE + "/pause")
def pause(caller: Caller, form: Form) -> Response:
    """Ask for no nights until resumed."""
    caller.send(PAUSE_SCHEDULE, {"why": form.get("why", ""), "requested_by": ASKER})
    return go_to(SCHEDULE_PAGE)


@router.post(SCHEDULE_PAGE + "/resume")
def resume(caller: Caller) -> Response:
    """Ask for nights again."""
    caller.send(RESUME_SCHEDULE, {"requested_by": ASKER})
    return go_to(SCHEDULE_PAGE)


@router.post(SCHEDULE_PAGE + "/triggers/{stage}")
def trigger(caller: Caller, stage: str) -> Response:
    """Ask for the night of the last closed session, or join it."""
    caller.send(TRIGGER.at(stage=stage), {"requested_by": ASKER})
    return go_to(SCHEDULE_PAGE)
