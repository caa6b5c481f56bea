"""What the charts of a portfolio are drawn from, as `charts.js` reads it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ops.client.explanation import factor_steps
from services.ops.client.portfolio_overview import PortfolioOverview

# More points than a chart has pixels say nothing more.
_MOST_POINTS: Final = 1_500
_DIGITS: Final = 6

Chart = Mapping[str, Any]


def charts_of(found: PortfolioOverview) -> dict[str, Chart]:
    """Return the charts that there is something to draw for, by name."""
    charts = _lines(found)
    stress, worst = found["stress"], found["worst_scenario"]
    if stress is not None:
        known = [(each["name"], each["model"]["value"]) for each in stress["scenarios"]]
        charts["stress"] = _across([(name, value) for name, value in known if value is not None], "money")
    if worst is not None:
        charts["waterfall"] = {
            "kind": "waterfall",
            "steps": [
                {"name": entry["factor"].replace("_", " "), "value": round(added, 2)}
                for entry, added in factor_steps(worst)
            ],
        }
    if found["contributions"] is not None:
        parts = [(entry["factor"], entry["contribution"]) for entry in found["contributions"]["factors"]]
        parts.append(("specific", found["contributions"]["specific"]))
        charts["contributions"] = _across([(name, part) for name, part in parts if part is not None], "percent")
    if found["risk"] is not None:
        betas = [(each["factor"], each["beta"]["value"]) for each in found["risk"]["factors"]]
        charts["factors"] = _across([(name, beta) for name, beta in betas if beta is not None], "number")
    matrix = found["correlations"]
    if matrix is not None and matrix["symbols"]:
        charts["correlations"] = {"kind": "heat", "names": matrix["symbols"], "cells": _rounded(matrix["matrix"])}
    return charts


def _lines(found: PortfolioOverview) -> dict[str, Chart]:
    points = found["performance"]["points"]
    step = -(-len(points) // _MOST_POINTS) or 1
    # The last one is always there.
    shown = points[::-1][::step][::-1]
    days = [point["as_of"] for point in shown]
    values = [float(point["equity"]) for point in shown]
    falls = [point["drawdown"] for point in shown]
    return {
        "equity": {"kind": "line", "days": days, "values": values, "unit": "money"},
        "drawdown": {"kind": "line", "days": days, "values": falls, "unit": "percent", "tone": "bad"},
    }


def _across(bars: Sequence[tuple[str, float]], unit: str) -> Chart:
    ordered = sorted(bars, key=lambda bar: bar[1])
    return {
        "kind": "across",
        "unit": unit,
        "bars": [{"name": name.replace("_", " "), "value": round(value, _DIGITS)} for name, value in ordered],
    }


def _rounded(matrix: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    return [[None if cell is None else round(cell, 3) for cell in row] for row in matrix]
