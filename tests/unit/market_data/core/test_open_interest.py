from datetime import date

from services.market_data.core.open_interest import first_to_ask

SINCE, BEFORE, UNTIL = date(2022, 11, 1), date(2022, 12, 27), date(2022, 12, 28)


def test_open_interest_is_asked_for_from_the_day_after_the_oldest_that_is_known() -> None:
    known = {"A": date(2022, 12, 22), "B": date(2022, 12, 23)}

    assert first_to_ask(known, ["A", "B"], since=SINCE, until=UNTIL) == date(2022, 12, 23)
    assert first_to_ask(known, ["A", "B", "NEW"], since=SINCE, until=UNTIL) == SINCE
    assert first_to_ask({"A": date(2022, 1, 3)}, ["A"], since=SINCE, until=UNTIL) == SINCE


def test_what_is_known_up_to_the_session_before_is_not_asked_for() -> None:
    assert first_to_ask({"A": BEFORE, "B": UNTIL}, ["A", "B"], since=SINCE, until=UNTIL) is None
    assert first_to_ask({"A": date(2022, 12, 23)}, ["A"], since=SINCE, until=UNTIL) == BEFORE
