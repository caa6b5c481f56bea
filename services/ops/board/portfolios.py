"""Portfolios: a list of them, and of one its value, what it holds, what it risks, and what changed."""

from datetime import date
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.ops.board.caller import Caller
from services.ops.board.pages import is_part, page, page_of
from services.ops.board.paths import PORTFOLIO_PAGE, PORTFOLIOS_PAGE
from services.ops.board.portfolio_charts import charts_of
from services.ops.client.answers.risk import RiskMeasure
from services.ops.client.changes import load_changes
from services.ops.client.client import ApiClient
from services.ops.client.explanation import load_explanation
from services.ops.client.front import front
from services.ops.client.portfolio_overview import PortfolioOverview, overview_of
from services.ops.client.portfolio_report import load_known
from services.ops.client.reasons import why
from services.ops.client.routes import PORTFOLIO, PORTFOLIOS
from services.ops.client.wording import figure
from services.ops.errors import NOT_FOUND, Misused, Refused
from shared.conventions import RISK_FACTORS, VAR_HORIZONS, VAR_LEVELS

_SHOWN: Final = 100
_METHODS: Final = ("historical", "parametric", "har")
# What stands in the table of tails.
_TAILS: Final = tuple(
    (kind, level, horizon) for level in VAR_LEVELS for horizon in VAR_HORIZONS for kind in ("var", "es")
)
_SINGLE: Final = (
    *("volatility_21d", "volatility_63d", "volatility_har", "model_volatility", "systematic_share"),
    *("tracking_error", "information_ratio", "active_share"),
    *("gross_leverage", "net_leverage", "effective_positions", "effective_bets", "top_10_concentration"),
)

router = APIRouter()


@router.get(PORTFOLIOS_PAGE, response_class=HTMLResponse)
def portfolios(request: Request, caller: Caller) -> HTMLResponse:
    """List portfolios by name."""
    asked = {name: request.query_params.get(name) or None for name in ("named", "symbol")}
    found = caller.get(PORTFOLIOS, limit=_SHOWN, cursor=request.query_params.get("cursor"), **asked)
    return page(request, "portfolios.html.j2", shown=page_of(request, found), asked=asked)


@router.get(PORTFOLIO_PAGE, response_class=HTMLResponse)
def portfolio(request: Request, caller: Caller, portfolio_id: str) -> HTMLResponse:
    """Show a portfolio as of a session."""
    as_of = _as_of(request)
    found = _overview(caller, portfolio_id, as_of)
    measures = {entry["measure"]: entry for entry in (found["risk"]["measures"] if found["risk"] else ())}
    return page(
        request,
        "portfolio.html.j2",
        found=found,
        front=front(found),
        charts=charts_of(found),
        measures=measures,
        tails=_TAILS,
        methods=_METHODS,
        single=[name for name in _SINGLE if name in measures],
        figures={name: figure(name, entry["unit"], entry["value"]) or "–" for name, entry in measures.items()},
        factors=RISK_FACTORS,
        contributions=_contributions(found),
        missing=_missing(list(measures.values()), found),
        query="" if as_of is None else f"?as_of={as_of}",
    )


@router.get(PORTFOLIO_PAGE + "/changes", response_class=HTMLResponse)
def changes(request: Request, caller: Caller, portfolio_id: str) -> HTMLResponse:
    """Show what changed since the session before."""
    try:
        found = load_changes(caller, portfolio_id, as_of=_as_of(request), since=None, revision=None)
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        return page(request, "portfolio_changes.html.j2", found=None, said=refused.detail)
    return page(request, "portfolio_changes.html.j2", found=found, said="")


@router.get(PORTFOLIO_PAGE + "/explain/{measure}", response_class=HTMLResponse)
def explain(request: Request, caller: Caller, portfolio_id: str, measure: str) -> HTMLResponse:
    """Show what a number was made from; beside the page it is asked on, or as a page."""
    found = load_explanation(caller, portfolio_id, measure, _as_of(request))
    template = "explanation.html.j2" if is_part(request) else "explanation_page.html.j2"
    return page(request, template, found=found, portfolio_id=portfolio_id)


def _overview(caller: ApiClient, portfolio_id: str, as_of: date | None) -> PortfolioOverview:
    known = caller.get(PORTFOLIO.at(portfolio_id=portfolio_id))
    try:
        return overview_of(caller, load_known(caller, known, as_of), as_of)
    except Misused as unvalued:
        raise Refused(NOT_FOUND, str(unvalued)) from unvalued


def _as_of(request: Request) -> date | None:
    given = request.query_params.get("as_of")
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise Refused(422, f"as_of must be written as in ISO 8601, 2022-12-28, was {given}") from error


def _contributions(found: PortfolioOverview) -> dict[str, float | None]:
    contributions = found["contributions"]
    return {entry["symbol"]: entry["contribution"] for entry in contributions["holdings"]} if contributions else {}


def _missing(measures: list[RiskMeasure], found: PortfolioOverview) -> dict[str, list[str]]:
    """Return why numbers are not there, with the names of those that each sentence speaks of."""
    told: dict[str, list[str]] = {}
    for measure in measures:
        told.setdefault(why(measure["value"]), []).append(measure["measure"])
    for factor in found["risk"]["factors"] if found["risk"] else ():
        told.setdefault(why(factor["beta"]), []).append(factor["factor"])
    told.pop("", None)
    return told
