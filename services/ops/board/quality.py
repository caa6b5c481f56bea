"""Data quality: which sessions are done, what was wrong with what was delivered, and decisions about it."""

from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final, TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.ops.board.caller import ASKER, Caller, Form
from services.ops.board.pages import go_to, page, page_of
from services.ops.board.paths import COVERAGE_PAGE, FINDINGS_PAGE, RUNS_PAGE
from services.ops.client.answers.coverage import Coverage, Session
from services.ops.client.answers.findings import Ruling
from services.ops.client.answers.portfolios import Portfolio
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio
from services.ops.client.paging import load_list
from services.ops.client.routes import CELLS, DECIDE, FINDINGS, OPEN_RUN, PORTFOLIOS
from services.ops.errors import Misused, Refused
from shared.calendar import week_of
from shared.symbols import one_spelling

# What an operator may decide about.
DECIDED: Final = frozenset({"UNEXPLAINED_JUMP", "INFERRED_SPLIT", "SPLIT_WITHOUT_MOVE", "DELISTED"})
_SHOWN: Final = 100
# Of everything a session is some thousand cells: a week of them.
_SESSIONS_OF_ALL: Final = 5
_SESSIONS_OF_ONE: Final = 66
_REASONS_SHOWN: Final = 50

router = APIRouter()


class Day(TypedDict):
    """A weekday of the calendar, and how its session stands; None: it is none."""

    day: str
    stands: str
    session: Session | None


@router.get(COVERAGE_PAGE, response_class=HTMLResponse)
def coverage(request: Request, caller: Caller) -> HTMLResponse:
    """Show what is done of everything, of a portfolio or of a symbol, session by session."""
    asked = {name: request.query_params.get(name) or None for name in ("portfolio", "symbol", "first", "last")}
    of_one = asked["portfolio"] or asked["symbol"]
    found = caller.get(
        CELLS,
        portfolio_id=_portfolio_id(caller, asked["portfolio"]),
        symbol=asked["symbol"] and one_spelling(asked["symbol"]),
        first=asked["first"],
        last=asked["last"],
        cursor=request.query_params.get("cursor"),
        limit=_SESSIONS_OF_ONE if of_one else _SESSIONS_OF_ALL,
    )
    return page(
        request,
        "coverage.html.j2",
        asked=asked,
        found=found,
        shown=page_of(request, {"items": found["items"], "next": found["next"]}),
        weeks=calendar_of(found["items"]),
        totals=_totals(found),
        reasons=found["reasons"][:_REASONS_SHOWN],
    )


@router.get(FINDINGS_PAGE, response_class=HTMLResponse)
def findings(request: Request, caller: Caller) -> HTMLResponse:
    """List what was wrong with delivered data, in the order in which it was found."""
    only = {name: request.query_params.get(name) or None for name in ("symbol", "rule", "run_id", "undecided")}
    found = caller.get(FINDINGS, limit=_SHOWN, cursor=request.query_params.get("cursor"), **only)
    return page(request, "findings.html.j2", found=page_of(request, found), only=only, decided=DECIDED)


@router.post(FINDINGS_PAGE + "/weigh", response_class=HTMLResponse)
def weigh(request: Request, caller: Caller, form: Form) -> HTMLResponse:
    """Show what a decision would change."""
    ruling = caller.send(DECIDE, _decision(form, dry_run=True))
    return page(request, "ruling.html.j2", ruling=ruling, holders=_holders(caller, ruling), form=form)


@router.post(FINDINGS_PAGE + "/rulings")
def decide(caller: Caller, form: Form) -> Response:
    """Decide about a bar, and run what that changes."""
    ruling = caller.send(DECIDE, _decision(form, dry_run=False))
    if not ruling["changes"]:
        return go_to(FINDINGS_PAGE)
    holders = [portfolio["portfolio_id"] for portfolio in _holders(caller, ruling)]
    body = {
        "kind": "correction",
        "symbols": [ruling["symbol"]],
        "portfolio_ids": holders or None,
        "first_session": ruling["changes"][0]["session"],
        "last_session": ruling["changes"][-1]["session"],
        "requested_by": ASKER,
    }
    return go_to(f"{RUNS_PAGE}/{caller.send(OPEN_RUN, body)['run']['run_id']}")


def calendar_of(sessions: list[Session]) -> list[list[Day]]:
    """Return the weeks of the sessions, each from Monday to Friday; a weekday between two that is none was closed."""
    if not sessions:
        return []
    known = {session["session"]: session for session in sessions}
    first, last = date.fromisoformat(min(known)), date.fromisoformat(max(known))
    weeks, days = [], week_of(first)
    while days[0] <= last:
        weeks.append([_day(day, known.get(day.isoformat()), within=first <= day <= last) for day in days])
        days = week_of(days[0] + timedelta(days=7))
    return weeks


def _day(day: date, session: Session | None, *, within: bool) -> Day:
    if session is None:
        return {"day": day.isoformat(), "stands": "closed" if within else "outside", "session": None}
    return {"day": day.isoformat(), "stands": stand_of(session), "session": session}


def stand_of(session: Session) -> str:
    """Return how the cells of a session stand together."""
    expected, done, failed = (
        sum(count[name] for count in session["counts"]) for name in ("expected", "done", "failed")
    )
    if not expected:
        return "nothing"
    if done == expected:
        return "done"
    if done:
        return "partly"
    return "failed" if failed else "missing"


def _totals(found: Coverage) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for session in found["items"]:
        for count in session["counts"]:
            of = totals.setdefault(count["fact"], dict.fromkeys(("expected", "done", "failed", "missing"), 0))
            for name in of:
                of[name] += count[name]  # type: ignore[literal-required]
    return totals


def _portfolio_id(caller: ApiClient, named: str | None) -> str | None:
    if named is None:
        return None
    try:
        return find_portfolio(caller, named)["portfolio_id"]
    except Misused as unknown:
        raise Refused(HTTPStatus.NOT_FOUND, str(unknown)) from unknown


def _decision(form: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
    said = {name: form.get(name, "") for name in ("symbol", "session", "rule", "decision")}
    # What is only weighed is kept by nobody, and is asked for with a reason all the same.
    return {**said, "why": "weighed" if dry_run else form.get("why", ""), "requested_by": ASKER, "dry_run": dry_run}


def _holders(caller: ApiClient, ruling: Ruling) -> list[Portfolio]:
    return load_list(caller, PORTFOLIOS, symbol=ruling["symbol"])
