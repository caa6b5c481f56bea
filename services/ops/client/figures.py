"""Figures of the report page, drawn by matplotlib as SVG that a page can hold."""

import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter

from shared.arrays import FloatArray

_WIDTH: Final = 9.0  # inches
_DATES: Final = 6  # below a line, at most
# Text stays text, ids are the same at every drawing: the same numbers make the same page.
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sigmasight",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": "#33404d",
    "axes.labelcolor": "#5a6672",
    "axes.edgecolor": "#c3cad2",
    "xtick.color": "#5a6672",
    "ytick.color": "#5a6672",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaee",
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.prop_cycle": cycler(color=["#1f4e79", "#c58b2a", "#6b7f93"]),
    "legend.frameon": False,
}
_GAIN, _LOSS, _WHOLE = "#2e7d5b", "#b3453c", "#1f4e79"
Values = Sequence[float | None]
Unit = Literal["number", "money", "percent"]


def lines_figure(panels: Mapping[str, Values], days: Sequence[str], *, units: Sequence[Unit]) -> str:
    """Return one panel per series over the same days, one below the other; missing values are gaps."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 2.0 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        dates = [date.fromisoformat(day) for day in days]
        for axis, (title, values), unit in zip(axes, panels.items(), units, strict=True):
            drawn = _numbers(values)
            axis.plot(dates, drawn, color="C0", linewidth=1.4, marker="." if len(days) < 3 else "")
            axis.set_title(title)
            axis.margins(x=0.01)
            axis.yaxis.set_major_formatter(_FORMATS[unit])
        shown = dates[:: max(-(-len(dates) // _DATES), 1)]
        axes[-1].set_xticks(shown, [f"{day.day} {day:%b %Y}" for day in shown])
        return _svg(figure)


def bars_figure(labels: Sequence[str], series: Mapping[str, Values], *, axis_label: str, unit: Unit = "number") -> str:
    """Return horizontal bars, a group per label and a bar per series; a missing value leaves its place empty."""
    with mpl.rc_context(_STYLE):
        thickness = 0.8 / max(len(series), 1)
        figure = Figure(figsize=(_WIDTH, 0.8 + 0.24 * len(labels) * max(len(series), 1)), layout="constrained")
        axis = figure.subplots()
        places = np.arange(len(labels))
        for number, (name, values) in enumerate(series.items()):
            offset = (number - (len(series) - 1) / 2) * thickness
            axis.barh(places + offset, _numbers(values), height=thickness, label=name)
        axis.set_yticks(places, labels)
        axis.invert_yaxis()
        axis.axvline(0, color="#5a6672", linewidth=0.8)
        axis.set_xlabel(axis_label)
        axis.xaxis.set_major_formatter(_FORMATS[unit])
        axis.grid(visible=False, axis="y")
        if len(series) > 1:
            axis.legend(loc="best")
        return _svg(figure)


def waterfall_figure(steps: Mapping[str, float], *, axis_label: str) -> str:
    """Return horizontal bars, each from where the one above has ended, and their sum below."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.8 + 0.3 * (len(steps) + 1)), layout="constrained")
        axis = figure.subplots()
        values = np.array([*steps.values(), sum(steps.values())])
        starts = np.append(np.cumsum(values[:-1]) - values[:-1], 0.0)
        colours = np.where(values < 0, _LOSS, _GAIN).tolist()
        colours[-1] = _WHOLE
        axis.barh(np.arange(values.size), values, left=starts, height=0.7, color=colours)
        axis.set_yticks(np.arange(values.size), [*steps, "in all"])
        axis.invert_yaxis()
        axis.axvline(0, color="#5a6672", linewidth=0.8)
        axis.set_xlabel(axis_label)
        axis.xaxis.set_major_formatter(_FORMATS["money"])
        axis.grid(visible=False, axis="y")
        return _svg(figure)


def matrix_figure(labels: Sequence[str], matrix: Sequence[Values]) -> str:
    """Return a heat map of correlations; a missing pair is grey."""
    with mpl.rc_context(_STYLE):
        side = min(_WIDTH, 2.0 + 0.28 * len(labels))
        figure = Figure(figsize=(side + 0.8, side), layout="constrained")
        axis = figure.subplots()
        image = _draw_matrix(axis, labels, np.array([_numbers(row) for row in matrix]))
        figure.colorbar(image, ax=axis, shrink=0.7)
        return _svg(figure)


_FORMATS: Final[Mapping[Unit, FuncFormatter]] = {
    "number": FuncFormatter(lambda value, _: f"{value:g}"),
    "money": FuncFormatter(lambda value, _: f"{value:,.0f}"),
    "percent": FuncFormatter(lambda value, _: f"{value * 100:g} %"),
}


def _draw_matrix(axis: Axes, labels: Sequence[str], numbers: FloatArray) -> AxesImage:
    axis.grid(visible=False)
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad="lightgrey")
    image = axis.imshow(np.ma.masked_invalid(numbers), cmap=colours, vmin=-1, vmax=1)
    axis.set_xticks(range(len(labels)), labels, rotation=90)
    axis.set_yticks(range(len(labels)), labels)
    return image


def _numbers(values: Values) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _svg(figure: Figure) -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    text = drawn.getvalue()
    # Without the XML prologue, which has no place inside a page.
    return text[text.index("<svg") :]
