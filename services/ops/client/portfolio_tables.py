"""A portfolio as of a session on a terminal."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

from rich.console import RenderableType

from services.ops.client.answers.portfolios import Performance, PositionValue
from services.ops.client.answers.risk import ExplainedRisk, PortfolioRisk, Stress
from services.ops.client.charts import bar, largest_of, line_chart, waterfall
from services.ops.client.explanation import factor_steps
from services.ops.client.portfolio_overview import PortfolioOverview, banner, overview_tables
from services.ops.client.portfolio_report import PortfolioReport
from services.ops.client.realised import FALL_COLUMNS, columns_of, fall_rows, rows_of
from services.ops.client.rendering import console, measure_row, money, number, percent, scenario_flags, table
from services.ops.client.reverse import largest_moves, nearest_sessions

_AMOUNTS: Final = (
    "equity",
    "pnl",
    "contributions",
    "withdrawals",
    "cash",
    "long_value",
    "short_value",
    "gross",
    "net",
)


def print_portfolio(found: PortfolioOverview, wanted: AbstractSet[str]) -> None:
    """Show sections of it on the terminal, in the order of `SECTIONS`."""
    out = console()
    for name, parts in SECTIONS.items():
        for part in parts(found) if wanted & {name, "all"} else ():
            out.print(part)


def _performance_parts(found: PortfolioOverview) -> Iterator[RenderableType]:
    yield from banner(found["snapshot"])
    yield _snapshot_table(found)
    yield table("realised performance", columns_of(found["realised"]), list(rows_of(found["realised"])))
    yield table("worst drawdowns", FALL_COLUMNS, list(fall_rows(found["performance"])))
    yield from _charts(found["performance"])


def _position_parts(found: PortfolioOverview) -> Iterator[RenderableType]:
    yield _position_table(found["positions"])


def _risk_parts(found: PortfolioOverview) -> Iterator[RenderableType]:
    if found["risk"] is None:
        yield f"risk has not been assessed as of {found['snapshot']['as_of']}"
        return
    yield _factor_table(found["risk"])
    yield _sector_table(found["risk"])
    yield _measure_table(found["risk"])


def _stress_parts(found: PortfolioOverview) -> Iterator[RenderableType]:
    if found["stress"] is None:
        yield f"no stress is known as of {found['snapshot']['as_of']}"
        return
    yield _stress_table(found["stress"])
    yield _reverse_table(found["stress"])
    if found["worst_scenario"] is not None:
        yield _waterfall_table(found["worst_scenario"])


def _charts(performance: Performance) -> list[RenderableType]:
    points = performance["points"]
    days = [point["as_of"] for point in points]
    drawn = [
        line_chart("equity", days, [float(point["equity"]) for point in points]),
        line_chart("drawdown of the time-weighted index", days, [point["drawdown"] for point in points]),
    ]
    return [chart for chart in drawn if chart is not None]


def _snapshot_table(report: PortfolioReport) -> RenderableType:
    snapshot = report["snapshot"]
    rows = [(name, money(snapshot[name]), "", "") for name in _AMOUNTS]
    gain = money(snapshot["realised_pnl"]), snapshot["gain_reason"] or "", snapshot["gain_detail"] or ""
    rows.append(("realised_pnl", *gain))
    rows += [measure_row(name, snapshot[name], digits=6) for name in ("daily_return", "twr_index")]
    title = f"{report['portfolio']['name']} as of {snapshot['as_of']}"
    return table(title, ("quantity", "value", "reason", "detail"), rows)


def _position_table(values: Sequence[PositionValue]) -> RenderableType:
    columns = ("symbol", "sector", "quantity", "mark", "from", "value", "pnl", "unrealised")
    rows = [
        (
            value["symbol"],
            value["sector"],
            number(value["quantity"], digits=2),
            number(value["mark"]),
            _origin(value),
            value["value_reason"] or money(value["market_value"]),
            money(value["pnl"]),
            value["value_reason"] or value["gain_reason"] or money(value["unrealised_pnl"]),
        )
        for value in values
    ]
    return table("positions", columns, rows)


def _origin(value: PositionValue) -> str:
    source = value["mark_source"].lower()
    return f"{source}, {value['mark_age']} sessions old" if value["mark_age"] else source


def _factor_table(risk: PortfolioRisk) -> RenderableType:
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


def _sector_table(risk: PortfolioRisk) -> RenderableType:
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


def _stress_table(stress: Stress) -> RenderableType:
    scenarios = stress["scenarios"]
    largest = largest_of([entry["model"]["value"] for entry in scenarios])
    rows = [
        (
            entry["name"],
            entry["basis"],
            money(entry["direct"]["value"]),
            *measure_row("", entry["model"], digits=2)[1:],
            scenario_flags(entry),
            bar(entry["model"]["value"], largest=largest),
        )
        for entry in scenarios
    ]
    return table("stress", ("scenario", "basis", "direct", "model", "reason", "detail", "flags", ""), rows)


def _reverse_table(stress: Stress) -> RenderableType:
    """Show the most plausible moves that cost given parts of equity."""
    rows = [
        (
            f"{entry['loss']:.0%}",
            *measure_row("", entry["distance"], digits=2)[1:],
            largest_moves(entry),
            nearest_sessions(entry),
        )
        for entry in stress["reverse"]
    ]
    return table("reverse stress", ("loss", "distance", "reason", "detail", "moves", "nearest sessions"), rows)


def _waterfall_table(worst: ExplainedRisk) -> RenderableType:
    """Show how the factors add up to the P&L of the worst scenario."""
    steps = factor_steps(worst)
    bars = waterfall([contribution for _, contribution in steps])
    rows = [
        (entry["factor"], number(entry["counted"]), money(contribution), drawn)
        for (entry, contribution), drawn in zip(steps, bars, strict=True)
    ]
    title = f"{worst['measure']}: {money(worst['stored']['value'])}"
    return table(title, ("factor", "move", "P&L", ""), rows)


def _measure_table(risk: PortfolioRisk) -> RenderableType:
    rows = [
        (*measure_row(entry["measure"], entry["value"]), percent(entry["coverage"]), entry["unit"])
        for entry in risk["measures"]
    ]
    return table("measures", ("measure", "value", "reason", "detail", "coverage", "unit"), rows)


SECTIONS: Final[Mapping[str, Callable[[PortfolioOverview], Iterable[RenderableType]]]] = MappingProxyType(
    {
        "overview": overview_tables,
        "performance": _performance_parts,
        "positions": _position_parts,
        "risk": _risk_parts,
        "stress": _stress_parts,
    }
)
