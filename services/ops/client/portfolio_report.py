"""A portfolio as of a session: its value, its positions and its risk, from three services."""

from datetime import date
from typing import Any

from rich.console import RenderableType

from services.ops.client.charts import bar, largest_of, line_chart, waterfall
from services.ops.client.client import ApiClient
from services.ops.client.explanation import load_explanation
from services.ops.client.lookup import find_portfolio, load_snapshots
from services.ops.client.rendering import console, measure_row, money, number, percent, scenario_flags, table
from services.ops.errors import NOT_FOUND, Misused, Refused

_DETAILS = ("stress", "correlations", "contributions", "active-sectors")

Report = dict[str, Any]


def load_portfolio(client: ApiClient, wanted: str, as_of: date | None) -> Report:
    """Return the newest valued session on or before `as_of` of the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is no such portfolio, or it was not valued until then.
    """
    portfolio = find_portfolio(client, wanted)
    path = f"/portfolios/{portfolio['portfolio_id']}"
    snapshots = load_snapshots(client, portfolio["portfolio_id"], last=as_of)
    if not snapshots:
        raise Misused(f"portfolio {portfolio['name']!r} has not been valued{f' on or before {as_of}' if as_of else ''}")
    session = snapshots[-1]["as_of"]
    risk = _find_risk(client, portfolio["portfolio_id"], session)
    details = {name: risk and _find_detail(client, portfolio["portfolio_id"], name, session) for name in _DETAILS}
    worst = worst_scenario(details["stress"])
    return {
        "portfolio": portfolio,
        "snapshot": snapshots[-1],
        "performance": client.get(f"{path}/performance", last=session),
        "positions": client.get(f"{path}/values", as_of=session),
        "risk": risk,
        **{name.replace("-", "_"): detail for name, detail in details.items()},
        "worst_scenario": worst and load_explanation(client, portfolio["portfolio_id"], f"{worst}.propagated", session),
    }


def worst_scenario(stress: Report | None) -> str | None:
    """Return the scenario with the smallest propagated P&L, None if none has one."""
    known = [entry for entry in (stress or {"scenarios": []})["scenarios"] if entry["propagated"]["value"] is not None]
    return min(known, key=lambda entry: float(entry["propagated"]["value"]))["scenario"] if known else None


def _find_risk(client: ApiClient, portfolio_id: str, session: str) -> dict[str, Any] | None:
    found = client.get("/risk", portfolio_id=portfolio_id, first=session, last=session)
    return found[0] if found else None


def _find_detail(client: ApiClient, portfolio_id: str, name: str, session: str) -> Any | None:
    """Return a detail of an assessment, None if it was made before there was such a detail."""
    try:
        return client.get(f"/risk/portfolios/{portfolio_id}/{name}", as_of=session)
    except Refused as refused:
        if refused.status == NOT_FOUND:
            return None
        raise


def print_portfolio(report: Report) -> None:
    """Show it on the terminal."""
    out = console()
    out.print(_snapshot_table(report))
    for chart in _charts(report["performance"]):
        out.print(chart)
    out.print(_position_table(report["positions"]))
    if report["risk"] is None:
        out.print(f"risk has not been assessed as of {report['snapshot']['as_of']}")
        return
    out.print(_factor_table(report["risk"]))
    out.print(_sector_table(report["risk"]))
    out.print(_measure_table(report["risk"]))
    if report["stress"] is not None:
        out.print(_stress_table(report["stress"]))
    if report["worst_scenario"] is not None:
        out.print(_waterfall_table(report["worst_scenario"]))


def _charts(performance: Report) -> list[RenderableType]:
    points = performance["points"]
    days = [point["as_of"] for point in points]
    drawn = [
        line_chart("equity", days, [float(point["equity"]) for point in points]),
        line_chart("drawdown of the time-weighted index", days, [point["drawdown"] for point in points]),
    ]
    return [chart for chart in drawn if chart is not None]


def _snapshot_table(report: Report) -> RenderableType:
    snapshot = report["snapshot"]
    amounts = ("equity", "pnl", "flow", "cash", "long_value", "short_value", "gross", "net", "realised_pnl")
    rows = [(name, money(snapshot[name]), "", "") for name in amounts]
    rows += [measure_row(name, snapshot[name], digits=6) for name in ("daily_return", "twr_index")]
    title = f"{report['portfolio']['name']} as of {snapshot['as_of']}"
    return table(title, ("quantity", "value", "reason", "detail"), rows)


def _position_table(values: list[dict[str, Any]]) -> RenderableType:
    columns = ("symbol", "sector", "quantity", "mark", "from", "value", "pnl", "unrealised")
    rows = [
        (
            value["symbol"],
            value["sector"],
            number(value["quantity"], digits=2),
            number(value["mark"]),
            _origin(value),
            money(value["market_value"]),
            money(value["pnl"]),
            money(value["unrealised_pnl"]),
        )
        for value in values
    ]
    return table("positions", columns, rows)


def _origin(value: dict[str, Any]) -> str:
    source = str(value["mark_source"]).lower()
    return f"{source}, {value['mark_age']} sessions old" if value["mark_age"] else source


def _factor_table(risk: Report) -> RenderableType:
    largest = largest_of([factor["beta"]["value"] for factor in risk["factors"]])
    rows = [
        (
            *measure_row(factor["factor"], factor["beta"]),
            money(factor["dollars"]["value"]),
            percent(factor["coverage"]),
            bar(factor["beta"]["value"], largest=largest),
        )
        for factor in risk["factors"]
    ]
    return table("factor exposures", ("factor", "beta", "reason", "detail", "currency", "coverage", ""), rows)


def _sector_table(risk: Report) -> RenderableType:
    rows = [
        (
            sector["sector"],
            money(sector["net"]),
            money(sector["gross"]),
            percent(sector["net_over_equity"]),
            percent(sector["gross_over_equity"]),
        )
        for sector in risk["sectors"]
    ]
    return table("sectors", ("sector", "net", "gross", "net/equity", "gross/equity"), rows)


def _stress_table(stress: Report) -> RenderableType:
    scenarios = stress["scenarios"]
    largest = largest_of([entry["propagated"]["value"] for entry in scenarios])
    rows = [
        (
            entry["name"],
            entry["basis"],
            money(entry["direct"]["value"]),
            *measure_row("", entry["propagated"], digits=2)[1:],
            scenario_flags(entry),
            bar(entry["propagated"]["value"], largest=largest),
        )
        for entry in scenarios
    ]
    return table("stress", ("scenario", "basis", "direct", "propagated", "reason", "detail", "flags", ""), rows)


def _waterfall_table(worst: Report) -> RenderableType:
    """Show how the factors add up to the P&L of the worst scenario."""
    parts = [entry for entry in worst["factors"] if entry["contribution"] is not None]
    steps = waterfall([entry["contribution"] for entry in parts])
    rows = [
        (entry["factor"], number(entry["counted"]), money(entry["contribution"]), step)
        for entry, step in zip(parts, steps, strict=True)
    ]
    title = f"{worst['measure']}: {money(worst['stored']['value'])}"
    return table(title, ("factor", "move", "P&L", ""), rows)


def _measure_table(risk: Report) -> RenderableType:
    rows = [
        (*measure_row(entry["measure"], entry["value"]), percent(entry["coverage"]), entry["unit"])
        for entry in risk["measures"]
    ]
    return table("measures", ("measure", "value", "reason", "detail", "coverage", "unit"), rows)
