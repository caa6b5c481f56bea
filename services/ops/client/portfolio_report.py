"""A portfolio as of a session: its value, its positions and its risk, from three services."""

from concurrent.futures import Future
from datetime import date
from typing import TypedDict

from services.ops.client.answers.portfolios import Performance, Portfolio, PositionValue, Realised, Snapshot
from services.ops.client.answers.risk import (
    ActiveSectors,
    Contributions,
    Correlations,
    ExplainedRisk,
    PortfolioRisk,
    Stress,
)
from services.ops.client.client import ApiClient, find
from services.ops.client.lookup import find_portfolio
from services.ops.client.paging import load_list
from services.ops.client.routes import (
    ACTIVE_SECTORS,
    CONTRIBUTIONS,
    CORRELATIONS,
    EXPLAINED_RISK,
    PERFORMANCE,
    PORTFOLIO_SNAPSHOTS,
    PORTFOLIO_VALUES,
    REALISED,
    RISK,
    STRESS,
    Answer,
    Route,
)
from services.ops.client.together import together
from services.ops.errors import Misused


class PortfolioReport(TypedDict):
    """Everything that is shown of a portfolio; None is what was not assessed, or assessed without this detail."""

    portfolio: Portfolio
    snapshot: Snapshot
    performance: Performance
    realised: Realised
    positions: list[PositionValue]
    risk: PortfolioRisk | None
    stress: Stress | None
    correlations: Correlations | None
    contributions: Contributions | None
    active_sectors: ActiveSectors | None
    worst_scenario: ExplainedRisk | None


def load_portfolio(client: ApiClient, wanted: str, as_of: date | None) -> PortfolioReport:
    """Return the newest valued session on or before `as_of` of the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is no such portfolio, or it was not valued until then.
    """
    return load_known(client, find_portfolio(client, wanted), as_of)


def load_known(client: ApiClient, portfolio: Portfolio, as_of: date | None) -> PortfolioReport:
    """Return the newest valued session on or before `as_of` of a portfolio.

    Raises
    ------
    Misused, Refused
        If it was not valued until then.
    """
    portfolio_id = portfolio["portfolio_id"]
    performance = find(client, PERFORMANCE.at(portfolio_id=portfolio_id), last=as_of)
    if performance is None:
        raise Misused(f"portfolio {portfolio['name']!r} has not been valued{f' on or before {as_of}' if as_of else ''}")
    session = performance["last"]
    with together() as ask:

        def detail(route: Route[Answer]) -> Future[Answer | None]:
            return ask(find, client, route.at(portfolio_id=portfolio_id), as_of=session)

        stressed, assessed = (
            detail(STRESS),
            ask(client.get, RISK, portfolio_id=portfolio_id, first=session, last=session),
        )
        dated = {"first": session, "last": session}
        snapshots = ask(client.get, PORTFOLIO_SNAPSHOTS.at(portfolio_id=portfolio_id), **dated)
        realised = ask(client.get, REALISED.at(portfolio_id=portfolio_id), as_of=session)
        correlations, contributions, active = detail(CORRELATIONS), detail(CONTRIBUTIONS), detail(ACTIVE_SECTORS)
        positions = ask(load_list, client, PORTFOLIO_VALUES.at(portfolio_id=portfolio_id), as_of=session)
        (risk,) = assessed.result()["items"] or (None,)
        # What was assessed on another session is none of this one.
        stress = stressed.result() if risk else None
        worst = worst_scenario(stress)
        explained = EXPLAINED_RISK.at(portfolio_id=portfolio_id, measure=f"{worst}.model")
        (snapshot,) = snapshots.result()["items"]
        return {
            "portfolio": portfolio,
            "snapshot": snapshot,
            "performance": performance,
            "realised": realised.result(),
            "positions": positions.result(),
            "risk": risk,
            "stress": stress,
            "correlations": correlations.result() if risk else None,
            "contributions": contributions.result() if risk else None,
            "active_sectors": active.result() if risk else None,
            "worst_scenario": client.get(explained, as_of=session) if worst else None,
        }


def worst_scenario(stress: Stress | None) -> str | None:
    """Return the scenario with the smallest model P&L, None if none has one."""
    modelled = {entry["scenario"]: entry["model"]["value"] for entry in (stress["scenarios"] if stress else ())}
    known = {scenario: value for scenario, value in modelled.items() if value is not None}
    return min(known, key=known.__getitem__) if known else None
