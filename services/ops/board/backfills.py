"""Backfills: planned before they begin, followed session by session, paused, cancelled, and tried again."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.ops.board.caller import ASKER, Caller, Form
from services.ops.board.pages import go_to, page, page_of
from services.ops.board.paths import BACKFILL_PAGE, BACKFILLS_PAGE
from services.ops.board.runs import STOP_POLLING
from services.ops.client.answers.backfills import Backfill, StepOutcome
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio_ids
from services.ops.client.paging import load_first
from services.ops.client.routes import (
    BACKFILL,
    BACKFILL_STEPS,
    BACKFILLS,
    CANCEL_BACKFILL,
    PAUSE_BACKFILL,
    PLAN_BACKFILL,
    RESUME_BACKFILL,
    RETRY_BACKFILL,
    START_BACKFILL,
    Route,
)
from services.ops.errors import Misused, Refused
from shared.symbols import one_spelling

_SHOWN: Final = 25
_STEPS_SHOWN: Final = 50
# A calendar of more steps says of the later ones that they are not shown.
_STEPS_DRAWN: Final = 2000
_REPROCESSED: Final = ("missing", "failed", "all")
_CHANGES: Final[Mapping[str, Route[Any]]] = {
    "pause": PAUSE_BACKFILL,
    "resume": RESUME_BACKFILL,
    "cancel": CANCEL_BACKFILL,
    "retry-failed": RETRY_BACKFILL,
}
# Of several steps over a session the first of these that one of them is says how it stands.
_OUTRANKING: Final = ("running", "failed", "queued", "cancelled", "done", "skipped")

router = APIRouter()


class Stretch(TypedDict):
    """Sessions that one or several steps are about, and how these stand together."""

    first: str
    last: str
    cells: int
    done: int
    failed: int
    stands: str


@router.get(BACKFILLS_PAGE, response_class=HTMLResponse)
def backfills(request: Request, caller: Caller) -> HTMLResponse:
    """List backfills, the newest request first, with the form of another one."""
    found = caller.get(BACKFILLS, limit=_SHOWN, cursor=request.query_params.get("cursor"))
    return page(request, "backfills.html.j2", found=page_of(request, found), reprocessed=_REPROCESSED)


@router.post(BACKFILLS_PAGE + "/plan", response_class=HTMLResponse)
def plan(request: Request, caller: Caller, form: Form) -> HTMLResponse:
    """Show what a backfill would compute."""
    planned = caller.send(PLAN_BACKFILL, _selection(caller, form))
    return page(request, "backfill_plan.html.j2", plan=planned, form=form)


@router.post(BACKFILLS_PAGE)
def start(caller: Caller, form: Form) -> Response:
    """Begin a backfill."""
    begun = caller.send(START_BACKFILL, _selection(caller, form))
    return go_to(f"{BACKFILLS_PAGE}/{begun['backfill_id']}")


@router.get(BACKFILL_PAGE, response_class=HTMLResponse)
def backfill(request: Request, caller: Caller, backfill_id: str) -> HTMLResponse:
    """Show how far a backfill is, and its steps."""
    cursor = request.query_params.get("cursor")
    steps = caller.get(BACKFILL_STEPS.at(backfill_id=backfill_id), limit=_STEPS_SHOWN, cursor=cursor)
    return page(request, "backfill.html.j2", steps=page_of(request, steps), **_standing(caller, backfill_id))


@router.get(BACKFILL_PAGE + "/progress", response_class=HTMLResponse)
def progress(request: Request, caller: Caller, backfill_id: str) -> HTMLResponse:
    """Show how far a backfill is, to be put where that was shown."""
    shown = _standing(caller, backfill_id)
    status = HTTPStatus.OK if shown["found"]["status"] == "active" else STOP_POLLING
    return page(request, "backfill_progress.html.j2", status, **shown)


@router.post(BACKFILL_PAGE + "/{change}")
def change(caller: Caller, backfill_id: str, change: str) -> Response:
    """Pause, resume or cancel a backfill, or queue again what failed."""
    route = _CHANGES.get(change)
    if route is None:
        raise Refused(HTTPStatus.NOT_FOUND, f"a backfill can be told to {', '.join(_CHANGES)}, not to {change}")
    caller.send(route.at(backfill_id=backfill_id), {})
    return go_to(f"{BACKFILLS_PAGE}/{backfill_id}")


def _standing(caller: ApiClient, backfill_id: str) -> dict[str, Any]:
    found: Backfill = caller.get(BACKFILL.at(backfill_id=backfill_id))
    steps = load_first(caller, BACKFILL_STEPS.at(backfill_id=backfill_id), _STEPS_DRAWN)
    left_out = found["progress"]["steps"] - len(steps)
    return {"found": found, "stretches": list(stretches_of(steps)), "left_out": left_out}


def stretches_of(steps: list[StepOutcome]) -> Iterator[Stretch]:
    """Yield the sessions of the steps, each stretch of them once, the oldest first."""
    together: dict[tuple[str, str], list[StepOutcome]] = {}
    for step in steps:
        together.setdefault((step["first_session"], step["last_session"]), []).append(step)
    for (first, last), those in sorted(together.items()):
        stands = {"failed" if step["failed"] else step["status"] for step in those}
        yield {
            "first": first,
            "last": last,
            "cells": sum(step["cells"] for step in those),
            "done": sum(step["done"] for step in those),
            "failed": sum(step["failed"] for step in those),
            "stands": min(stands, key=_OUTRANKING.index),
        }


def _selection(caller: ApiClient, form: Mapping[str, str]) -> dict[str, object]:
    symbols, portfolios = (_listed(form.get(name, "")) for name in ("symbols", "portfolios"))
    everything = form.get("everything") == "on"
    if everything == bool(symbols or portfolios):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "name symbols or portfolios, or choose everything, not both")
    try:
        portfolio_ids = find_portfolio_ids(caller, portfolios) if portfolios else []
    except Misused as unknown:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(unknown)) from unknown
    return {
        "first": form.get("first"),
        "last": form.get("last") or None,
        "symbols": None if everything else [one_spelling(symbol) for symbol in symbols],
        "portfolio_ids": None if everything else portfolio_ids,
        "reprocess": form.get("reprocess"),
        "requested_by": ASKER,
    }


def _listed(text: str) -> list[str]:
    return [name.strip() for name in re.split(r"[,\n]", text) if name.strip()]
