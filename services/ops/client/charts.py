"""Charts on a terminal: lines by plotext, bars by rich."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import plotext
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.text import Text

_BAR_WIDTH = 25
_WATERFALL_WIDTH = 40
_WIDTH, _HEIGHT = 100, 12


def line_chart(title: str, days: Sequence[str], values: Sequence[float | None]) -> RenderableType | None:
    """Return a line over days, ISO dates; days without a value are left out. None: nothing to draw."""
    known = [(day, value) for day, value in zip(days, values, strict=True) if value is not None]
    if len(known) < 2:
        return None
    # plotext draws one figure a process.
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(_WIDTH, _HEIGHT)
    plotext.date_form("Y-m-d")
    plotext.plot([day for day, _ in known], [value for _, value in known], marker="braille")
    return Group(Text(title, style="bold"), Text.from_ansi(plotext.build()))


def bar(value: float | None, *, largest: float) -> RenderableType:
    """Return a bar that starts in the middle of its cell and ends at the edge for a value of the largest size."""
    if value is None or not largest:
        return ""
    start, end = sorted((largest, largest + value))
    return Bar(2 * largest, start, end, width=_BAR_WIDTH, color="red" if value < 0 else "green")


def waterfall(steps: Sequence[float | None]) -> list[RenderableType]:
    """Return a bar a step, each from where the one before has ended, all on one scale that holds zero."""
    edges = list(accumulate((step or 0.0 for step in steps), initial=0.0))
    lowest, highest = min(edges), max(edges)
    spans = [sorted((start - lowest, end - lowest)) for start, end in pairwise(edges)]
    return [
        Bar(highest - lowest, start, end, width=_WATERFALL_WIDTH, color="red" if step < 0 else "green") if step else ""
        for step, (start, end) in zip(steps, spans, strict=True)
    ]


def largest_of(values: Sequence[float | None]) -> float:
    """Return the largest absolute value, 0 if there is none."""
    return max((abs(value) for value in values if value is not None), default=0.0)
