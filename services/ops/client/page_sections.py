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
from services.ops.client.realised import FALL_COLUMNS, QUANTITIES, SHARES, columns_of, fall_rows
from services.ops.client.reasons import sentence, why
from services.ops.client.rendering import detail, scenario_flags
from services.ops.client.reverse import largest_moves, nearest_sessions
from services.ops.client.wording import amount, figure, share

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
        "time-weighted index, 1 at the opening": [point["twr_index"] for point in points],
        "below its highest close so far": [point["drawdown"] for point in points],
    }
    fall = performance["drawdown"]
    rows = [
        [Cell("sessions"), Cell(str(performance["sessions"]), "number"), Cell("")],
        [Cell("paid in"), Cell(_money(performance["contributions"]), "number"), Cell("")],
        [Cell("taken out"), Cell(_money(performance["withdrawals"]), "number"), Cell("")],
        [Cell("P&L"), Cell(_money(performance["pnl"]), "number"), Cell("")],
        _share_cells("time-weighted return", performance["twr"]),
        _share_cells("time-weighted return a year", performance["twr_annual"]),
        _share_cells("money-weighted return", performance["mwr"]),
        _share_cells("money-weighted return a year", performance["mwr_annual"]),
        _share_cells("deepest fall", fall["depth"]),
        [Cell("peak, trough, recovery"), Cell(", ".join(fall[day] or "not yet" for day in _EDGES), "number"), Cell("")],
    ]
    return Section(
        title=f"Performance from {performance['first']} to {performance['last']}",
        figures=[lines_figure(panels, days, units=("number", "percent"))],
        tables=[Table(("", "value", "reason"), rows)],
    )


def _realised_section(realised: Realised, performance: Performance) -> Section:
    windows = realised["windows"]
    rows = [[Cell("returns"), *(Cell(str(entry["returns"]), "number") for entry in windows)]]
    for name in QUANTITIES:
        cells = [Cell(_quantity(name, entry[name]), "number") for entry in windows]
        rows.append([Cell(name.replace("_", " ")), *cells])
    missing = {why(entry[name]) for entry in windows for name in QUANTITIES} - {""}
    falls = [[Cell(shown, "number") for shown in cells] for cells in fall_rows(performance)]
    note = f"From the daily returns that were; ratios are over a risk-free {_rate(realised)}."
    return Section(
        "Realised performance",
        tables=[Table(tuple(columns_of(realised)), rows), Table(FALL_COLUMNS, falls)],
        note=" ".join([note, *(f"– {told}" for told in sorted(missing))]),
    )


def _quantity(name: str, measure: Measure) -> str:
    if measure["value"] is None:
        return "–"
    return share(measure["value"], digits=2) if name in SHARES else amount(measure["value"], digits=2)


def _rate(realised: Realised) -> str:
    rate, source = realised["risk_free_rate"]["value"], realised["risk_free_source"]
    return f"rate that is not known ({source})" if rate is None else f"{share(rate)} a year ({source})"


def _position_section(positions: Sequence[PositionValue]) -> Section:
    columns = ("symbol", "sector", "quantity", "mark", "from", "value", "exposure", "P&L", "delta")
    rows = [
        [
            Cell(value["symbol"]),
            Cell(value["sector"]),
            Cell(amount(value["quantity"], digits=2), "number"),
            Cell(amount(value["mark"], digits=4), "number"),
            Cell(f"{value['mark_source'].lower()}, {value['mark_age']} sessions old"),
            _worth(value),
            Cell(_money(value["exposure"]), "number"),
            Cell(_money(value["pnl"]), "number"),
            _delta(value),
        ]
        for value in positions
    ]
    return Section("Positions", tables=[Table(columns, rows)])


def _worth(value: PositionValue) -> Cell:
    if value["value_reason"]:
        return Cell(sentence(value["value_reason"]), "reason")
    return Cell(_money(value["market_value"]), "number")


def _factor_section(risk: PortfolioRisk) -> Section:
    factors = risk["factors"]
    rows = [
        [
            *_measure_cells(entry["factor"].replace("_", " "), entry["beta"]),
            *_amount_cells(entry["dollars"], entry["coverage"]),
        ]
        for entry in factors
    ]
    return Section(
        "Factor exposures",
        figures=[
            bars_figure(
                [entry["factor"].replace("_", " ") for entry in factors],
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
            Cell(_money(entry["net"]), "number"),
            Cell(_money(entry["gross"]), "number"),
            Cell(_share_of(entry["net_over_equity"]), "number"),
            Cell(_share_of(entry["gross_over_equity"]), "number"),
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
            axis_label="of equity",
            unit="percent",
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
            Cell(_share(entry["benchmark_weight"]), "number"),
            Cell(_share(entry["active"]), "number"),
        ]
        for entry in active["sectors"]
    ]
    return Table(("sector", "benchmark weight", "active weight"), rows)


def _measure_section(risk: PortfolioRisk) -> Section:
    rows = [
        [
            Cell(entry["measure"].replace("_", " ")),
            Cell(figure(entry["measure"], entry["unit"], entry["value"]), "number"),
            Cell(why(entry["value"]), "reason"),
            Cell(_share_of(entry["coverage"]), "number"),
            Cell(str(entry["observations"]), "number"),
            Cell(str(entry["window"]), "number"),
        ]
        for entry in risk["measures"]
    ]
    return Section("Measures", tables=[Table(("measure", "value", "reason", "coverage", "returns", "window"), rows)])


def _stress_section(stress: Stress, worst: ExplainedRisk | None) -> Section:
    scenarios = stress["scenarios"]
    rows = [
        [
            Cell(entry["name"]),
            Cell(entry["basis"]),
            *_measure_cells("", entry["direct"], digits=2)[1:],
            *_measure_cells("", entry["model"], digits=2)[1:],
            Cell(_share_of(entry["coverage"]), "number"),
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
                unit="money",
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
            Cell(_share(entry["weight"]), "number"),
            Cell(_share(entry["contribution"], digits=2), "number"),
            Cell(_share(entry["marginal"], digits=2), "number"),
        ]
        for entry in contributions["holdings"]
    ]
    total = contributions["volatility"]
    return Section(
        "Contributions to volatility",
        figures=[
            bars_figure(
                [name for name, _ in parts],
                {"part": [part for _, part in parts]},
                axis_label="of volatility, a year",
                unit="percent",
            )
        ],
        tables=[Table(("holding", "weight", "contribution", "marginal"), rows)],
        note=f"Volatility by the factor model: {_share(total['value']) or _why(total, digits=2)}",
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


def _measure_cells(name: str, measure: Measure, *, digits: int = 2) -> list[Cell]:
    value = measure["value"]
    told = "" if value is None else amount(value, digits=digits)
    return [Cell(name), Cell(told, "number"), Cell(_why(measure, digits=digits), "reason")]


def _share_cells(name: str, measure: Measure) -> list[Cell]:
    return [Cell(name), Cell(_share(measure["value"], digits=2), "number"), Cell(why(measure), "reason")]


def _why(measure: Measure, *, digits: int) -> str:
    """Return why there is no number, with what the covered part says."""
    return "" if measure["reason"] is None else sentence(measure["reason"], detail(measure, digits=digits))


def _share_of(measure: Measure) -> str:
    return _share(measure["value"]) or "–"


def _money(value: str | float | None) -> str:
    return "" if value is None else amount(value, digits=2)


def _share(value: float | None, *, digits: int = 1) -> str:
    return "" if value is None else share(value, digits=digits)


def _amount_cells(amount: Measure, coverage: Measure) -> list[Cell]:
    return [Cell(_money(amount["value"]), "number"), Cell(_share_of(coverage), "number")]


def _delta(value: PositionValue) -> Cell:
    delta = value["delta"]
    if delta is None:
        return Cell("")
    if delta["value"] is None:
        return Cell(why(delta), "reason")
    implied, assumed = value["implied_volatility"], value["assumed_volatility"]
    if implied is not None and implied["value"] is not None:
        return Cell(f"{delta['value']:.3f} at an implied {implied['value']:.1%}", "number")
    return Cell(f"{delta['value']:.3f} at an assumed {assumed:.1%}", "number")
