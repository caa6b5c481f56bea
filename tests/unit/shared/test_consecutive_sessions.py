from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import consecutive_sessions, sessions_between

FRIDAY, MONDAY, TUESDAY = date(2025, 3, 14), date(2025, 3, 17), date(2025, 3, 18)
YEAR = sessions_between(date(2024, 1, 2), date(2024, 12, 31))


def test_consecutive_sessions_across_a_weekend_are_one_stretch() -> None:
    assert consecutive_sessions([FRIDAY, MONDAY]) == [(FRIDAY, MONDAY)]


def test_consecutive_sessions_with_one_left_out_are_two_stretches() -> None:
    assert consecutive_sessions([FRIDAY, TUESDAY]) == [(FRIDAY, FRIDAY), (TUESDAY, TUESDAY)]


@given(st.sets(st.sampled_from(YEAR)).map(sorted))
def test_consecutive_sessions_hold_exactly_what_was_given_and_never_touch(sessions: list[date]) -> None:
    stretches = consecutive_sessions(sessions)

    assert [day for ends in stretches for day in sessions_between(*ends)] == sessions
    gaps = [YEAR.index(after) - YEAR.index(before) for (_, before), (after, _) in pairwise(stretches)]
    assert all(gap > 1 for gap in gaps)
