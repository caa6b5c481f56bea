"""The sections of the report page: from the answers of the platform to figures, tables and notes."""

from collections.abc import Iterator, Sequence
from typing import Final

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import Performance, PositionValue, Realised
from services.ops.client.answers.risk import (
    ActiveSectors,
    Contributions,
    Correlations,
    ExplainedRisk,
    PortfolioRisk,
    Stress,
)
from services.ops.client.explanation import factor_steps
from services.ops.client.figures import bars_figure, lines_figure, matrix_figure, waterfall_figure
from services.ops.client.page_parts import Cell, Section, Table
from services.ops.client.portfolio_report import PortfolioReport
from services.ops.client.realised import FALL_COLUMNS, columns_of, fall_rows, rows_of
from services.ops.client.rendering import detail, money, number, percent, scenario_flags
from services.ops.client.reverse import largest_moves, nearest_sessions

_EDGES: Final = ("peak", "trough", "recovery")


def sections(report: PortfolioReport) -> Iterator[Section]:
    """Yield what is known of the portfolio, a section each."""
    yield _performance_section(report["performance"])
    yield _realised_section(report["realised"], report["performance"])
    yield _position_section(report["positions"])
    if report["risk"] is None:
        return
    yield _factor_section(report["risk"])
    yield _sector_section(report["risk"], report["active_sectors"])
    yield _measure_section(report["risk"])
    if report["stress"] is not None:
        yield _stress_section(report["stress"], report["worst_scenario"])
    if report["contributions"] is not None:
        yield _contribution_section(report["contributions"])
    if report["correlations"] is not None:
        yield _correlation_section(report["correlations"])


def _performance_section(performance: Performance) -> Section:
    points = performance["points"]
    days = [point["as_of"] for point in points]
    panels: dict[str, list[float | None]] = {
        "equity": [float(point["equity"]) for point in points],
        "time-weighted index": [point["twr_index"] for point in points],
        "drawdown of the index": [point["drawdown"] for point in points],
    }
    fall = performance["drawdown"]
    rows = [
        [Cell("sessions"), Cell(str(performance["sessions"]), "number"), Cell("")],
        [Cell("paid in"), Cell(money(performance["contributions"]), "number"), Cell("")],
        [Cell("taken out"), Cell(money(performance["withdrawals"]), "number"), Cell("")],
        [Cell("P&L"), Cell(money(performance["pnl"]), "number"), Cell("")],
        _measure_cells("time-weighted return", performance["twr"]),
        _measure_cells("time-weighted return a year", performance["twr_annual"]),
        _measure_cells("money-weighted return", performance["mwr"]),
        _measure_cells("money-weighted return a year", performance["mwr_annual"]),
        _measure_cells("maximum drawdown", fall["depth"]),
        [Cell("peak, trough, recovery"), Cell(" ".join(str(fall[day]) for day in _EDGES), "number"), Cell("")],
    ]
    return Section(
        title=f"Performance from {performance['first']} to {performance['last']}",
        figures=[lines_figure(panels, days)],
        tables=[Table(("", "value", "reason"), rows)],
    )


def _realised_section(realised: Realised, performance: Performance) -> Section:
    rows = [[Cell(name), *(Cell(shown, "number") for shown in cells)] for name, *cells in rows_of(realised)]
    falls = [[Cell(shown, "number") for shown in cells] for cells in fall_rows(performance)]
    return Section(
        "Realised performance",
        tables=[Table(tuple(columns_of(realised)), rows), Table(FALL_COLUMNS, falls)],
        note=f"From the daily returns that were; ratios are over a risk-free {realised['risk_free_rate']:.1%} a year.",
    )


def _position_section(positions: Sequence[PositionValue]) -> Section:
    columns = ("symbol", "sector", "quantity", "mark", "from", "value", "exposure", "P&L", "delta")
    rows = [
        [
            Cell(value["symbol"]),
            Cell(value["sector"]),
            Cell(number(value["quantity"], digits=2), "number"),
            Cell(number(value["mark"]), "number"),
            Cell(f"{value['mark_source'].lower()}, {value['mark_age']} sessions old"),
            Cell(value["value_reason"] or money(value["market_value"]), "number"),
            Cell(money(value["exposure"]), "number"),
            Cell(money(value["pnl"]), "number"),
            _delta(value),
        ]
        for value in positions
    ]
    return Section("Positions", tables=[Table(columns, rows)])


def _factor_section(risk: PortfolioRisk) -> Section:
    factors = risk["factors"]
    rows = [
        [*_measure_cells(entry["factor"], entry["beta"]), *_amount_cells(entry["dollars"], entry["coverage"])]
        for entry in factors
    ]
    return Section(
        "Factor exposures",
        figures=[
            bars_figure(
                [entry["factor"] for entry in factors],
                {"beta": [entry["beta"]["value"] for entry in factors]},
                axis_label="exposure over equity",
            )
        ],
        tables=[Table(("factor", "beta", "reason", "currency", "coverage"), rows)],
    )


def _sector_section(risk: PortfolioRisk, active: ActiveSectors | None) -> Section:
    sectors = risk["sectors"]
    rows = [
        [
            Cell(entry["sector"]),
            Cell(money(entry["net"]), "number"),
            Cell(money(entry["gross"]), "number"),
            Cell(percent(entry["net_over_equity"]), "number"),
            Cell(percent(entry["gross_over_equity"]), "number"),
        ]
        for entry in sectors
    ]
    figures = [
        bars_figure(
            [entry["sector"] for entry in sectors],
            {
                "net": [entry["net_over_equity"]["value"] for entry in sectors],
                "gross": [entry["gross_over_equity"]["value"] for entry in sectors],
            },
            axis_label="over equity",
        )
    ]
    tables = [Table(("sector", "net", "gross", "net/equity", "gross/equity"), rows)]
    note = ""
    if active is not None and active["reason"] is None:
        tables.append(_active_table(active))
        note = f"Active weights are against {active['benchmark']} of {active['benchmark_as_of']}."
    elif active is not None:
        note = f"No active weights: {active['detail']}."
    return Section("Sectors", figures if sectors else (), tables, note)


def _active_table(active: ActiveSectors) -> Table:
    rows = [
        [
            Cell(entry["sector"]),
            Cell(number(entry["benchmark_weight"]), "number"),
            Cell(number(entry["active"]), "number"),
        ]
        for entry in active["sectors"]
    ]
    return Table(("sector", "benchmark weight", "active weight"), rows)


def _measure_section(risk: PortfolioRisk) -> Section:
    rows = [
        [
            *_measure_cells(entry["measure"], entry["value"]),
            Cell(percent(entry["coverage"]), "number"),
            Cell(entry["unit"]),
            Cell(str(entry["observations"]), "number"),
            Cell(str(entry["window"]), "number"),
        ]
        for entry in risk["measures"]
    ]
    return Section(
        "Measures", tables=[Table(("measure", "value", "reason", "coverage", "unit", "returns", "window"), rows)]
    )


def _stress_section(stress: Stress, worst: ExplainedRisk | None) -> Section:
    scenarios = stress["scenarios"]
    rows = [
        [
            Cell(entry["name"]),
            Cell(entry["basis"]),
            *_measure_cells("", entry["direct"], digits=2)[1:],
            *_measure_cells("", entry["model"], digits=2)[1:],
            Cell(percent(entry["coverage"]), "number"),
            Cell(scenario_flags(entry)),
        ]
        for entry in scenarios
    ]
    columns = ("scenario", "basis", "direct", "reason", "model", "reason", "coverage", "flags")
    return Section(
        "Stress",
        figures=[
            bars_figure(
                [entry["name"] for entry in scenarios],
                {kind: [entry[kind]["value"] for entry in scenarios] for kind in ("direct", "model")},
                axis_label="P&L in portfolio currency",
            ),
            *([] if worst is None else [_waterfall(worst)]),
        ],
        tables=[Table(columns, rows), _reverse_table(stress)],
        note="Direct: exposure times shock. Model: loadings on the factors times all of their moves. "
        "Would cost: the most plausible moves that do, and their distance, in deviations of one session.",
    )


def _reverse_table(stress: Stress) -> Table:
    rows = [
        [
            Cell(f"{entry['loss']:.0%} of equity"),
            *_measure_cells("", entry["distance"], digits=2)[1:],
            Cell(largest_moves(entry)),
            Cell(nearest_sessions(entry)),
        ]
        for entry in stress["reverse"]
    ]
    return Table(("would cost", "distance", "reason", "moves", "nearest sessions"), rows)


def _waterfall(worst: ExplainedRisk) -> str:
    steps = {entry["factor"]: contribution for entry, contribution in factor_steps(worst)}
    return waterfall_figure(steps, axis_label=f"P&L of {worst['measure']}, factor by factor")


def _contribution_section(contributions: Contributions) -> Section:
    factors = [(entry["factor"], entry["contribution"]) for entry in contributions["factors"]]
    parts = [*factors, ("specific", contributions["specific"])]
    rows = [
        [
            Cell(entry["symbol"]),
            Cell(number(entry["weight"]), "number"),
            Cell(number(entry["contribution"]), "number"),
            Cell(number(entry["marginal"]), "number"),
        ]
        for entry in contributions["holdings"]
    ]
    total = contributions["volatility"]
    return Section(
        "Contributions to volatility",
        figures=[
            bars_figure([name for name, _ in parts], {"part": [part for _, part in parts]}, axis_label="of volatility")
        ],
        tables=[Table(("holding", "weight", "contribution", "marginal"), rows)],
        note=f"Volatility by the factor model: {percent(total)} {detail(total)}",
    )


def _correlation_section(correlations: Correlations) -> Section:
    symbols = correlations["symbols"]
    clusters = [[Cell(entry["name"]), Cell(", ".join(entry["symbols"]))] for entry in correlations["clusters"]]
    return Section(
        "Correlations",
        figures=[matrix_figure(symbols, correlations["matrix"])] if symbols else (),
        tables=[Table(("cluster", "holdings"), clusters)] if clusters else (),
        note=f"{correlations['missing_pairs']} pairs have too few common sessions; repair: {correlations['clip']:.4f}.",
    )


def _measure_cells(name: str, measure: Measure, *, digits: int = 6) -> list[Cell]:
    why = "" if measure["reason"] is None else f"{measure['reason']}: {detail(measure, digits=digits)}"
    return [Cell(name), Cell(number(measure["value"], digits=digits), "number"), Cell(why, "reason")]


def _amount_cells(amount: Measure, coverage: Measure) -> list[Cell]:
    return [Cell(money(amount["value"]), "number"), Cell(percent(coverage), "number")]


def _delta(value: PositionValue) -> Cell:
    delta = value["delta"]
    if delta is None:
        return Cell("")
    if delta["value"] is None:
        return Cell(f"{delta['reason']}: {delta['detail']}", "reason")
    implied, assumed = value["implied_volatility"], value["assumed_volatility"]
    if implied is not None and implied["value"] is not None:
        return Cell(f"{delta['value']:.3f} at an implied {implied['value']:.1%}", "number")
    return Cell(f"{delta['value']:.3f} at an assumed {assumed:.1%}", "number")
