"""Verdicts of jumps against a second, plain implementation, on any history of closes, halts and dividends."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market_data.core.bars import Bars
from services.market_data.core.judging import judge
from tests.system.plain.judging import Bar, held
from tests.unit.market_data.core.test_judging import SESSIONS

# Levels far from each other, near to each other, and at the very factors.
LEVELS = st.sampled_from([1, 2, 3, 10, 11, 30, 33, 100, 101, 1000, 3000])
STEPS = st.tuples(LEVELS, st.sampled_from([1, 1, 1, 1, 2, 5, 6, 7]), st.sampled_from([0, 0, 0, 0, 1, 9, 95]))


def history(steps: list[tuple[int, int, int]]) -> list[Bar]:
    """Return bars of (close, sessions since the bar before, dividend), as far as there are sessions."""
    places = np.cumsum([gap for _, gap, _ in steps]) - 1
    return [
        Bar(place, Fraction(close), dividend=Fraction(dividend))
        for place, (close, _, dividend) in zip(places.tolist(), steps, strict=True)
        if place < len(SESSIONS)
    ]


@given(st.lists(STEPS, min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_held_closes_are_those_of_the_plain_implementation(steps: list[tuple[int, int, int]]) -> None:
    bars = history(steps)
    grid = Bars.blank(SESSIONS, ["AAA"])
    for bar in bars:
        grid.close[bar.session, 0], grid.dividend[bar.session, 0] = float(bar.close), float(bar.dividend)

    judged = judge(grid, {})

    assert set(np.flatnonzero(judged.held[:, 0]).tolist()) == held(bars)
