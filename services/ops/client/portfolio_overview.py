"""A portfolio on one screen: what it is worth, how it did, what it risks, and how far its numbers can be trusted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final, TypedDict

from rich.console import RenderableType

from services.ops.client.answers.coverage import Readiness
from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import Performance, PositionValue, Snapshot, ValueChanges
from services.ops.client.answers.risk import PortfolioRisk, RiskMeasure
from services.ops.client.client import ApiClient, find
from services.ops.client.portfolio_report import PortfolioReport, load_portfolio, worst_scenario
from services.ops.client.rendering import money, number, percent, table
from services.ops.client.routes import PERFORMANCE, PORTFOLIO_READINESS, VALUE_CHANGES
from services.ops.client.together import together
from shared.calendar import session_on_or_before

_LARGEST: Final = 5
# What stands for the risk of a book; all of them are in the section `measures`.
_TOP_MEASURES: Final = ("volatility_63d", "var_95_1d_historical", "es_95_1d_historical")


class Returns(TypedDict):
    """The time-weighted return over each stretch that people ask for, up to the session."""

    day: Measure
    month_to_date: Measure
    year_to_date: Measure
    since_inception: Measure


class PortfolioOverview(PortfolioReport):
    """Everything that is shown of a portfolio, with its returns and how it stands; None where nobody keeps account.

    `earned` is what changed its value since the year before, or since its first session; None on that.
    """

    returns: Returns
    readiness: Readiness | None
    earned: ValueChanges | None


def load_overview(client: ApiClient, wanted: str, as_of: date | None) -> PortfolioOverview:
    """Return the newest valued session on or before `as_of` of the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is no such portfolio, or it was not valued until then.
    """
    return overview_of(client, load_portfolio(client, wanted, as_of), as_of)


def overview_of(client: ApiClient, report: PortfolioReport, as_of: date | None) -> PortfolioOverview:
    """Return a report with its returns, how it stands, and what changed it since the year before."""
    portfolio_id, session = report["portfolio"]["portfolio_id"], report["snapshot"]["as_of"]

    def since(first: date) -> Measure:
        return client.get(PERFORMANCE.at(portfolio_id=portfolio_id), first=first, last=session)["twr"]

    day = date.fromisoformat(session)
    begun = max(date(day.year - 1, 12, 31), date.fromisoformat(report["performance"]["first"]))
    changed = VALUE_CHANGES.at(portfolio_id=portfolio_id)
    readiness = PORTFOLIO_READINESS.at(portfolio_id=portfolio_id)
    with together() as ask:
        stands = ask(find, client, readiness, as_of=judged_session(as_of))
        month, year = ask(since, day.replace(day=1)), ask(since, day.replace(month=1, day=1))
        earned = find(client, changed, as_of=session, since=begun) if begun < day else None
        returns: Returns = {
            "day": report["snapshot"]["daily_return"],
            "month_to_date": month.result(),
            "year_to_date": year.result(),
            "since_inception": report["performance"]["twr"],
        }
        return {**report, "returns": returns, "readiness": stands.result(), "earned": earned}


def judged_session(as_of: date | None) -> date | None:
    """Return the session that a day's readiness is asked of; None: the newest that has closed."""
    return None if as_of is None or as_of >= datetime.now(UTC).date() else session_on_or_before(as_of)


def overview_tables(found: PortfolioOverview) -> Iterator[RenderableType]:
    """Yield what fits on one screen."""
    title = f"{found['portfolio']['name']} as of {found['snapshot']['as_of']}"
    yield from banner(found["snapshot"])
    yield table(
        title,
        ("quantity", "value", "detail"),
        [*_worth(found["snapshot"]), *_results(found["returns"], found["performance"])],
    )
    if found["risk"] is not None:
        yield table("risk", ("measure", "value", "coverage"), [*_top_risks(found["risk"]), *_worst(found)])
    yield table("largest positions", ("symbol", "value", "of equity", "day's P&L"), _largest(found))
    yield "\n".join(_standing(found))


def banner(snapshot: Snapshot) -> Iterator[str]:
    """Yield what is to be known before any number is read: how old the prices are, where some are old."""
    if snapshot["stale_positions"]:
        gross, stale = float(snapshot["gross"]), float(snapshot["stale_gross"])
        sessions = "session" if snapshot["oldest_mark"] == 1 else "sessions"
        share = f", {stale / gross:.1%} of gross" if gross > 0 else ""
        marks = snapshot["positions"] - snapshot["unvalued_positions"]
        yield (
            f"{snapshot['stale_positions']} of {marks} marks carried, "
            f"the oldest {snapshot['oldest_mark']} {sessions} old{share}"
        )


def _worth(snapshot: Snapshot) -> Iterator[Sequence[str]]:
    held = f"{snapshot['positions']} positions: {snapshot['long_positions']} long, {snapshot['short_positions']} short"
    yield "value", money(snapshot["equity"]), held
    yield "cash", money(snapshot["cash"]), f"gross {money(snapshot['gross'])}, net {money(snapshot['net'])}"


def _results(returns: Returns, performance: Performance) -> Iterator[Sequence[str]]:
    yield "day", percent(returns["day"], digits=2), ""
    yield "month to date", percent(returns["month_to_date"], digits=2), ""
    yield "year to date", percent(returns["year_to_date"], digits=2), ""
    yield (
        "since inception",
        percent(returns["since_inception"], digits=2),
        f"from the close before {performance['first']}",
    )
    fall = performance["drawdown"]
    when = f"{fall['peak']} to {fall['trough']}" if fall["peak"] and fall["trough"] else ""
    yield "deepest fall", percent(fall["depth"], digits=2), when


def _top_risks(risk: PortfolioRisk) -> Iterator[Sequence[str]]:
    measures: dict[str, RiskMeasure] = {entry["measure"]: entry for entry in risk["measures"]}
    for name in _TOP_MEASURES:
        if name in measures:
            yield name, percent(measures[name]["value"], digits=2), percent(measures[name]["coverage"])
    known = [factor for factor in risk["factors"] if factor["beta"]["value"] is not None]
    known.sort(key=lambda factor: -abs(factor["beta"]["value"] or 0.0))
    for factor in known[:_LARGEST]:
        yield f"beta {factor['factor']}", number(factor["beta"]["value"], digits=2), percent(factor["coverage"])


def _worst(found: PortfolioOverview) -> Iterator[Sequence[str]]:
    worst = worst_scenario(found["stress"])
    for entry in found["stress"]["scenarios"] if found["stress"] else ():
        if entry["scenario"] == worst:
            yield f"worst stress: {entry['name']}", money(entry["model"]["value"]), ""


def _largest(found: PortfolioOverview) -> list[Sequence[str]]:
    equity = float(found["snapshot"]["equity"])
    positions = sorted(found["positions"], key=lambda value: -abs(_value(value)))
    return [
        (
            value["symbol"],
            value["value_reason"] or money(value["market_value"]),
            f"{_value(value) / equity:.1%}" if equity > 0 and not value["value_reason"] else "",
            money(value["pnl"]),
        )
        for value in positions[:_LARGEST]
    ]


def _value(value: PositionValue) -> float:
    return float(value["market_value"] or 0)


def _standing(found: PortfolioOverview) -> Iterator[str]:
    snapshot, readiness = found["snapshot"], found["readiness"]
    if readiness is not None:
        yield f"{readiness['state']} as of {readiness['as_of']}"
        yield from (f"  {cause['what']}: {cause['todo']}" for cause in readiness["causes"])
    if found["risk"] is None:
        yield "risk has not been assessed"
    if snapshot["at_cost_positions"]:
        yield f"{snapshot['at_cost_positions']} positions stand at what they cost"
    if snapshot["unvalued_positions"]:
        yield f"{snapshot['unvalued_positions']} positions are not valued and in no sum:"
        yield from (f"  {value['value_detail']}" for value in found["positions"] if value["value_detail"])
