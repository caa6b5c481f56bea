"""The calendar of sessions: legible without colour, closed days shown as such."""

from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from services.ops.client.answers.coverage import Session
from services.ops.client.session_grid import Stand, session_grid, stand_of
from shared.calendar import sessions_between


def session(day: date, *, expected: int = 1, done: int = 0, failed: int = 0) -> Session:
    missing = expected - done - failed
    counts = {"fact": "bars", "expected": expected, "done": done, "failed": failed, "missing": missing}
    return {"session": day.isoformat(), "counts": [counts], "cells": []}  # type: ignore[list-item]


def drawn(sessions: list[Session]) -> list[str]:
    out = Console(file=StringIO(), width=160, no_color=True)
    out.print(session_grid(sessions))
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("numbers", "stand"),
    [
        ({"expected": 0}, Stand.NOTHING),
        ({"expected": 2, "done": 2}, Stand.DONE),
        ({"expected": 3, "done": 1, "failed": 1}, Stand.PARTLY),
        ({"expected": 3, "failed": 1}, Stand.FAILED),
        ({"expected": 3}, Stand.MISSING),
    ],
)
def test_session_stands_as_its_cells_do(numbers: dict[str, int], stand: Stand) -> None:
    assert stand_of(session(date(2025, 3, 14), **numbers)) is stand


def test_every_stand_has_a_sign_of_its_own() -> None:
    assert len({stand.sign()[0] for stand in Stand}) == len(Stand)


def test_weeks_are_columns_and_weekdays_rows_with_closed_days_and_one_line_of_legend() -> None:
    # Christmas 2024 was a Wednesday, New Year's day too; Carter's funeral was on Thursday 9 January.
    days = sessions_between(date(2024, 12, 23), date(2025, 1, 10))
    sessions = [session(day, done=1) for day in days]
    sessions[0] = session(days[0], expected=0)
    sessions[1] = session(days[1])
    sessions[-1] = session(days[-1], failed=1)
    assert drawn(sessions) == [
        "    Dec '24",
        "Mon   ■ ■",
        "Tue · ■ ■",
        "Wed – – ■",
        "Thu ■ ■ –",
        "Fri ■ ■ ✗",
        "■ done   ◧ partly   ✗ failed   · never asked for   – closed     blank: nothing expected",
    ]


def test_months_stand_above_their_first_week_and_a_long_range_is_in_blocks() -> None:
    lines = drawn([session(day, done=1) for day in sessions_between(date(2024, 3, 4), date(2025, 6, 13))])
    months, rows = lines[0], lines[1]
    assert months.startswith("    Mar '24 Apr")
    apr = months.index("Apr")
    # The week of Monday 1 April is the fifth.
    assert apr == len("Mon ") + 2 * 4
    assert rows.startswith("Mon ■ ■ ■")
    assert len(lines) == 2 * 6 + 1
