"""What is held of closes, in words."""

from datetime import date

from shared.prices.held import Held, taints_of

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2025, 3, day) for day in (10, 11, 12, 13))


def test_what_is_held_within_the_sessions_is_said_of_these_symbols_and_nothing_else() -> None:
    held = {
        "A": [Held(day, "JUMP") for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY)],
        "B": [Held(MONDAY, "JUMP"), Held(THURSDAY, "JUMP")],
        "C": [Held(TUESDAY, "JUMP")],
    }

    assert taints_of(held, ("A", "B", "D"), first=TUESDAY, last=WEDNESDAY) == {
        "A": "JUMP of A on 2025-03-12 and 1 more"
    }
