"""The board: how the platform is, the run that matters now, and the nights before it."""

from http import HTTPStatus
from typing import Any, Final, TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.ops.board.caller import Caller
from services.ops.board.pages import is_owner, page
from services.ops.board.paths import PAGES, PORTFOLIOS_PAGE, RUNS_PAGE
from services.ops.board.runs import causes_of, following, load_progress
from services.ops.board.wording import seconds_between
from services.ops.client.answers.runs import RunSummary
from services.ops.client.client import ApiClient
from services.ops.client.routes import FINDINGS, LETTER_COUNTS, READINESS, READY, RUNS, SCHEDULE
from services.ops.client.together import together
from services.ops.errors import Refused

_RUNS_SHOWN: Final = 8
_NIGHTS_SHOWN: Final = 14
_HELD_SHOWN: Final = 100

router = APIRouter()


class Health(TypedDict):
    """Whether the platform can work."""

    is_ready: bool
    said: str | None


@router.get("/", response_class=HTMLResponse)
def board(request: Request, caller: Caller) -> Response:
    """Show how the platform is; whose own portfolios are all that they may see is led to these."""
    if is_owner(request):
        return RedirectResponse(PORTFOLIOS_PAGE, HTTPStatus.SEE_OTHER)
    with together() as ask:
        health = ask(_health, caller)
        newest, nightly = (
            ask(caller.get, RUNS, limit=_RUNS_SHOWN),
            ask(caller.get, RUNS, kind="nightly", limit=_NIGHTS_SHOWN),
        )
        active = ask(caller.get, RUNS, status="active", limit=_RUNS_SHOWN)
        letters, schedule = ask(caller.get, LETTER_COUNTS), ask(caller.get, SCHEDULE, limit=3)
        held = ask(caller.get, FINDINGS, undecided=True, limit=_HELD_SHOWN)
        runs, nights = newest.result()["items"], nightly.result()["items"]
        watched = _watched(active.result()["items"], nights, runs)
        found = None if watched is None else load_progress(caller, watched["run"]["run_id"])
        causes = causes_of(caller, found) if found else []
        return page(
            request,
            "overview.html.j2",
            health=health.result(),
            runs=runs,
            nights=_chart_of(nights),
            found=found,
            causes=causes,
            letters=letters.result(),
            held=len(held.result()["items"]),
            most_held=_HELD_SHOWN,
            schedule=schedule.result(),
            **(following(found["run"]["run_id"]) if found else {"events": "", "progress": ""}),
        )


@router.get(f"{PAGES}/board/readiness", response_class=HTMLResponse)
def readiness(request: Request, caller: Caller) -> HTMLResponse:
    """Show how many portfolios are ready: of a thousand that takes longer than the board, which comes first."""
    return page(request, "board_readiness.html.j2", found=caller.get(READINESS, limit=1))


def _watched(active: list[RunSummary], nights: list[RunSummary], runs: list[RunSummary]) -> RunSummary | None:
    """Return the run that is under way, a night before anything else; else the newest night, else the newest run."""
    nights_first = sorted(active, key=lambda each: each["run"]["kind"] != "nightly")
    return next(iter([*nights_first, *nights[:1], *runs[:1]]), None)


def _health(caller: ApiClient) -> Health:
    try:
        return {"is_ready": True, "said": caller.get(READY).get("remarks")}
    except Refused as not_ready:
        if not_ready.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return {"is_ready": False, "said": not_ready.detail}


def _chart_of(nights: list[RunSummary]) -> dict[str, Any]:
    """Return how long nights took, the oldest first, in the colours of how they ended."""
    ended = [(night, night["finished_at"]) for night in reversed(nights)]
    bars = [
        {
            "name": night["run"]["last_session"],
            "value": round(seconds_between(night["requested_at"], finished), 1),
            "state": night["status"],
            "address": f"{RUNS_PAGE}/{night['run']['run_id']}",
        }
        for night, finished in ended
        if finished is not None
    ]
    return {"kind": "bars", "unit": "s", "bars": bars}
