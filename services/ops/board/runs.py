"""Runs: all of them, and one with its stages, what failed in it and why, and what happened."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.ops.board.caller import ASKER, Caller
from services.ops.board.pages import go_to, page, page_of
from services.ops.board.paths import RUN_EVENTS_OF, RUN_PAGE, RUNS_PAGE
from services.ops.client.answers.runs import Cause, RunProgress
from services.ops.client.client import ApiClient
from services.ops.client.routes import CANCEL_RUN, CAUSES, FINDING_COUNTS, REQUESTS, RETRY_RUN, RUN, RUN_LOG, RUNS

# Tells htmx that a part is not to be asked for any more.
STOP_POLLING: Final = 286
KINDS: Final = ("nightly", "on_demand", "backfill", "onboarding", "correction", "replay")
STATUSES: Final = ("active", "completed", "completed_with_errors", "failed", "cancelled")
_RUNS_SHOWN: Final = 50
_FAILURES_SHOWN: Final = 100
_LINES_SHOWN: Final = 200

router = APIRouter()


@router.get(RUNS_PAGE, response_class=HTMLResponse)
def runs(request: Request, caller: Caller) -> HTMLResponse:
    """List runs, the newest request first."""
    only = {name: request.query_params.get(name) or None for name in ("kind", "status", "session")}
    found = caller.get(RUNS, limit=_RUNS_SHOWN, cursor=request.query_params.get("cursor"), **only)
    return page(request, "runs.html.j2", found=page_of(request, found), only=only, kinds=KINDS, statuses=STATUSES)


@router.get(RUN_PAGE, response_class=HTMLResponse)
def run(request: Request, caller: Caller, run_id: str) -> HTMLResponse:
    """Show a run."""
    found = load_progress(caller, run_id)
    lines = caller.get(RUN_LOG.at(run_id=run_id), limit=_LINES_SHOWN) if is_over(found) else None
    findings = caller.get(FINDING_COUNTS, run_id=run_id) if is_over(found) else None
    requests = caller.get(REQUESTS, run_id=run_id) if is_over(found) else None
    shown = {"causes": causes_of(caller, found), "findings": findings, "requests": requests, "lines": lines}
    return page(request, "run.html.j2", found=found, **shown, **following(run_id))


@router.get(RUN_PAGE + "/progress", response_class=HTMLResponse)
def progress(request: Request, caller: Caller, run_id: str) -> HTMLResponse:
    """Show how far a run is, to be put where that was shown."""
    found = load_progress(caller, run_id)
    status = STOP_POLLING if is_over(found) else HTTPStatus.OK
    return page(request, "run_progress.html.j2", status, found=found, causes=causes_of(caller, found))


@router.get(RUN_PAGE + "/failures", response_class=HTMLResponse)
def failures(request: Request, caller: Caller, run_id: str) -> HTMLResponse:
    """List what failed, cell by cell."""
    after = int(text) if (text := request.query_params.get("after", "0")).isdecimal() else 0
    found = caller.get(RUN.at(run_id=run_id), failures=_FAILURES_SHOWN, after=after)
    following = after + _FAILURES_SHOWN if len(found["failures"]) == _FAILURES_SHOWN else None
    return page(request, "run_failures.html.j2", found=found, after=after, following=following)


@router.get(RUN_PAGE + "/log", response_class=HTMLResponse)
def log(request: Request, caller: Caller, run_id: str) -> HTMLResponse:
    """List what happened in a run."""
    found = caller.get(RUN.at(run_id=run_id), failures=1)
    cursor = request.query_params.get("cursor")
    lines = page_of(request, caller.get(RUN_LOG.at(run_id=run_id), limit=_LINES_SHOWN, cursor=cursor))
    return page(request, "run_log.html.j2", found=found, lines=lines)


@router.post(RUN_PAGE + "/cancel")
def cancel(caller: Caller, run_id: str) -> Response:
    """End a run."""
    caller.send(CANCEL_RUN.at(run_id=run_id), {"requested_by": ASKER})
    return go_to(f"{RUNS_PAGE}/{run_id}")


@router.post(RUN_PAGE + "/retry-failed")
def retry_failed(caller: Caller, run_id: str) -> Response:
    """Run again what a run left undone."""
    opened = caller.send(RETRY_RUN.at(run_id=run_id), {"requested_by": ASKER})
    return go_to(f"{RUNS_PAGE}/{opened['run']['run_id']}")


def load_progress(caller: ApiClient, run_id: str) -> RunProgress:
    """Return a run with how far its stages are; its failures are shown by cause."""
    return caller.get(RUN.at(run_id=run_id), failures=1)


def causes_of(caller: ApiClient, found: RunProgress) -> list[Cause]:
    """Return why a run could not serve what it could not."""
    return caller.get(CAUSES.at(run_id=found["run"]["run_id"]))["items"] if found["failures"] else []


def is_over(found: RunProgress) -> bool:
    """Tell whether a run has ended."""
    return found["status"] != "active"


def following(run_id: str) -> dict[str, str]:
    """Return where a page hears of a run, and where it then looks."""
    return {"events": RUN_EVENTS_OF.format(run_id=run_id), "progress": f"{RUNS_PAGE}/{run_id}/progress"}
