"""One calendar for everybody: holidays, special closures, early closes, New York's clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import (
    all_sessions,
    is_session,
    next_session,
    session_on_or_after,
    session_on_or_before,
    sessions_between,
    shift_session,
    week_of,
)
from shared.clock import FixedClock, SessionClock

NEW_YORK = ZoneInfo("America/New_York")
DAYS = st.dates(date(1995, 1, 1), date(2026, 6, 30))


def at(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    "day",
    [
        date(2025, 1, 9),  # mourning of a president
        date(2012, 10, 29),  # a hurricane
        date(2001, 9, 11),
        date(2025, 6, 19),
        date(2027, 3, 26),  # Good Friday, after the predecessor's list has ended
        date(2025, 6, 7),
    ],
)
def test_defect_24_holiday_or_special_closure_is_no_session(day: date) -> None:
    assert not is_session(day)
    assert session_on_or_before(day) < day < session_on_or_after(day)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(2025, 6, 5, 16, 29), date(2025, 6, 4)),
        (at(2025, 6, 5, 16, 31), date(2025, 6, 5)),
        (at(2025, 7, 3, 13, 29), date(2025, 7, 2)),  # closes at 13:00
        (at(2025, 7, 3, 13, 31), date(2025, 7, 3)),
        (at(2025, 6, 8, 12, 0), date(2025, 6, 6)),  # a Sunday
        (at(2025, 1, 15, 16, 31), date(2025, 1, 15)),  # winter time: 21:31 in London
        (at(2025, 6, 5, 22, 0), date(2025, 6, 5)),  # already tomorrow in London
    ],
)
def test_defect_25_session_that_is_calculated_is_new_yorks_last_one_to_have_closed(
    now: datetime, expected: date
) -> None:
    assert SessionClock(FixedClock(now)).last_closed_session() == expected


def test_settle_delay_is_how_long_after_its_close_a_session_counts() -> None:
    early_close = FixedClock(at(2025, 7, 3, 14, 59))
    assert SessionClock(early_close, timedelta(hours=2)).last_closed_session() == date(2025, 7, 2)
    assert SessionClock(early_close, timedelta(minutes=119)).last_closed_session() == date(2025, 7, 3)


@given(DAYS)
def test_sessions_around_a_day_are_neighbours_or_the_day_itself(day: date) -> None:
    before, after = session_on_or_before(day), session_on_or_after(day)

    assert before <= day <= after
    assert (before == day == after) if is_session(day) else (next_session(before) == after)


@given(DAYS, st.integers(-200, 200))
def test_shifting_there_and_back_returns_to_the_session(day: date, sessions: int) -> None:
    start = session_on_or_before(day)
    shifted = shift_session(start, sessions)

    assert shift_session(shifted, -sessions) == start
    assert len(sessions_between(min(start, shifted), max(start, shifted))) == abs(sessions) + 1


def test_session_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="must lie between"):
        shift_session(date(1950, 1, 2), 0)
    assert np.all(np.diff(all_sessions()) > np.timedelta64(0, "D"))


def test_week_of_a_day_has_its_holidays_and_no_weekend() -> None:
    days = [date(2022, 12, 26), date(2022, 12, 27), date(2022, 12, 28), date(2022, 12, 29), date(2022, 12, 30)]

    assert [week_of(day) for day in (days[0], days[4], date(2023, 1, 1))] == [days] * 3
