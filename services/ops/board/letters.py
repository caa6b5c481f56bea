"""Dead letters: by cause, with their message, redriven once it was shown what that changes, or dropped."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.ops.board.caller import ASKER, Caller, Form
from services.ops.board.pages import go_to, page, page_of
from services.ops.board.paths import LETTER_PAGE, LETTERS_PAGE, REDRIVE_PAGE, REDRIVES_PAGE
from services.ops.board.runs import STOP_POLLING
from services.ops.client.routes import DROP_LETTER, LETTER, LETTER_COUNTS, LETTERS, REDRIVE, REDRIVEN

_SHOWN: Final = 50
_PAYLOAD_SHOWN: Final = 20_000
_STATUSES: Final = ("waiting", "redriving", "settled", "dropped")
# What letters are chosen by, where it isn't one of them.
_CHOICE: Final = ("reason", "topic", "run_id")

router = APIRouter()


@router.get(LETTERS_PAGE, response_class=HTMLResponse)
def letters(request: Request, caller: Caller) -> HTMLResponse:
    """List dead letters, the newest first: those that somebody still has to deal with, unless a status is asked for."""
    only = {name: request.query_params.get(name) or None for name in (*_CHOICE, "status")}
    found = caller.get(LETTERS, limit=_SHOWN, cursor=request.query_params.get("cursor"), **only)
    counts = caller.get(LETTER_COUNTS)
    shown = page_of(request, found)
    return page(request, "letters.html.j2", found=shown, only=only, counts=counts, statuses=_STATUSES)


@router.post(REDRIVES_PAGE + "/plan", response_class=HTMLResponse)
def plan(request: Request, caller: Caller, form: Form) -> HTMLResponse:
    """Show what a redrive would do."""
    answer = caller.send(REDRIVE, _choice(form, dry_run=True))
    return page(request, "redrive_plan.html.j2", answer=answer, form=form)


@router.post(REDRIVES_PAGE)
def redrive(caller: Caller, form: Form) -> Response:
    """Have letters processed again."""
    begun = caller.send(REDRIVE, _choice(form, dry_run=False))["redrive"]
    return go_to(LETTERS_PAGE if begun is None else f"{REDRIVES_PAGE}/{begun['redrive_id']}")


@router.get(REDRIVE_PAGE, response_class=HTMLResponse)
def redriven(request: Request, caller: Caller, redrive_id: str) -> HTMLResponse:
    """Show how far a redrive is."""
    return page(request, "redrive.html.j2", found=caller.get(REDRIVEN.at(redrive_id=redrive_id)))


@router.get(REDRIVE_PAGE + "/progress", response_class=HTMLResponse)
def progress(request: Request, caller: Caller, redrive_id: str) -> HTMLResponse:
    """Show how far a redrive is, to be put where that was shown."""
    found = caller.get(REDRIVEN.at(redrive_id=redrive_id))
    status = HTTPStatus.OK if found["finished_at"] is None else STOP_POLLING
    return page(request, "redrive_progress.html.j2", status, found=found)


@router.get(LETTER_PAGE, response_class=HTMLResponse)
def letter(request: Request, caller: Caller, letter_id: str) -> HTMLResponse:
    """Show a letter with its message."""
    found = caller.get(LETTER.at(letter_id=letter_id))
    payload = _readable(found["payload"])
    cut = len(payload) > _PAYLOAD_SHOWN
    return page(request, "letter.html.j2", found=found, payload=payload[:_PAYLOAD_SHOWN], cut=cut)


@router.post(LETTER_PAGE + "/drop")
def drop(caller: Caller, form: Form, letter_id: str) -> Response:
    """Have nobody deal with a letter."""
    caller.send(DROP_LETTER.at(letter_id=letter_id), {"why": form.get("why", ""), "requested_by": ASKER})
    return go_to(f"{LETTERS_PAGE}/{letter_id}")


def _choice(form: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
    letter_id = form.get("letter_id")
    return {
        "letter_ids": [letter_id] if letter_id else None,
        **{name: form.get(name) or None for name in _CHOICE},
        "again": form.get("again") == "on",
        "dry_run": dry_run,
        "why": form.get("why", ""),
        "requested_by": ASKER,
    }


def _readable(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload
