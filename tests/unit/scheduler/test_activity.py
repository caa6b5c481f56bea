"""The lines of a run's log, word for word."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.activity import (
    Arrival,
    Asked,
    Level,
    Pace,
    What,
    closed_line,
    ended_line,
    letter_line,
    opened_line,
    part_line,
)
from shared.unavailable import Reason, Unavailable

ASKED = datetime(2025, 3, 14, 21, 0, tzinfo=UTC)
LATER = ASKED + timedelta(seconds=12.34)


def _said(**arrival: object) -> tuple[Level, str]:
    part = Arrival(**{"stage": "prices.updated", "index": 1, "total": 4, "subjects": 50, "failed": {}, **arrival})  # type: ignore[arg-type]
    line = part_line(7, LATER, part, requested_at=ASKED)
    assert (line.place, line.at, line.what, line.stage) == (7, LATER, What.PART, "prices.updated")
    assert (line.parts_done, line.parts_total) == (part.arrived, 4)
    return line.level, line.message


def test_first_line_says_what_was_asked_for_and_by_whom() -> None:
    everything = Asked("nightly", "2025-03-14", "2025-03-14", None, None, "its time")
    some = Asked("on_demand", "2025-03-10", "2025-03-14", 2, 1, "me")
    none = Asked("on_demand", "2025-03-14", "2025-03-14", 0, 0, "me")

    said = [opened_line(asked, ASKED) for asked in (everything, some, none)]

    assert {(line.place, line.at, line.what, line.level) for line in said} == {(0, ASKED, What.OPENED, Level.INFO)}
    assert [line.message for line in said] == [
        "nightly run of 2025-03-14 over every symbol and every portfolio, asked for by its time",
        "on_demand run of 2025-03-10 to 2025-03-14 over 2 symbols and 1 portfolio, asked for by me",
        "on_demand run of 2025-03-14 over no symbols and no portfolios, asked for by me",
    ]


def test_part_is_told_with_what_failed_by_reason() -> None:
    assert _said(arrived=2) == (Level.INFO, "part 2 of 4: 50 subjects")
    assert _said(arrived=2, failed={"ValueError": 1, "MISSING_DATA": 17}) == (
        Level.WARNING,
        "part 2 of 4: 50 subjects, 18 failed (17 MISSING_DATA, 1 ValueError)",
    )


def test_part_that_comes_last_completes_its_stage_whichever_it_is() -> None:
    assert _said(arrived=4) == (Level.INFO, "part 2 of 4: 50 subjects; complete 12.3 s after it was asked for")


def test_dead_letter_is_told_without_what_was_in_it() -> None:
    line = letter_line(8, LATER, topic="portfolios.valued", consumer="risk.store_books", reason="KeyError")

    assert (line.what, line.level, line.stage) == (What.DEAD_LETTER, Level.ERROR, "portfolios.valued")
    assert line.message == "risk.store_books could not process a message: KeyError"


def test_stage_that_was_closed_is_told_with_what_never_came() -> None:
    line = closed_line(8, LATER, stage="prices.updated", never_came="prices.updated: part 3 of 12")

    assert (line.what, line.level, line.stage) == (What.CLOSED, Level.WARNING, "prices.updated")
    assert line.message == "closed by its deadline: prices.updated: part 3 of 12"


def test_last_line_says_how_the_run_ended_and_why() -> None:
    ends = [
        ("completed", None),
        ("completed_with_errors", None),
        ("cancelled", "cancelled by me"),
        ("failed", "past its deadline"),
    ]

    said = [ended_line(9, LATER, status, why, requested_at=ASKED) for status, why in ends]

    assert [(line.level, line.message) for line in said] == [
        (Level.INFO, "completed after 12.3 s"),
        (Level.WARNING, "completed with errors after 12.3 s"),
        (Level.WARNING, "cancelled after 12.3 s: cancelled by me"),
        (Level.ERROR, "failed after 12.3 s: past its deadline"),
    ]


@pytest.mark.parametrize(
    ("past", "left"),
    [
        ([20.0], 7.66),
        ([30.0, 10.0, 20.0], 7.66),
        ([10.0, 20.0], 2.66),
        ([12.34], 0.0),
    ],
)
def test_time_left_is_what_the_median_of_the_past_leaves(past: list[float], left: float) -> None:
    assert Pace(ASKED, LATER, past).seconds_left(LATER) == pytest.approx(left)


def test_time_left_without_a_past_is_unknown_and_so_is_that_of_a_run_that_takes_longer() -> None:
    without, longer = Pace(ASKED, LATER, []), Pace(ASKED, LATER, [10.0, 8.0, 12.0])

    assert without.seconds_left(LATER) == Unavailable(
        Reason.INSUFFICIENT_HISTORY, "no run of this kind and size has completed yet"
    )
    assert longer.seconds_left(LATER) == Unavailable(
        Reason.NOT_APPLICABLE, "it takes longer than the 10.0 s that were the median of the last 3"
    )
