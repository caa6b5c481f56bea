"""From when on interest rates are asked for again."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.market_data.core.rates import ASK_AGAIN_AFTER, AskedRates, first_to_ask

NOW = datetime(2022, 12, 29, 3, 0, tzinfo=UTC)
SINCE, UNTIL = date(2020, 11, 28), date(2022, 12, 28)
LONG_AGO = NOW - ASK_AGAIN_AFTER


def ask(asked: AskedRates | None) -> date | None:
    return first_to_ask(asked, since=SINCE, until=UNTIL, now=NOW)


def test_series_that_was_never_asked_for_is_asked_for_whole() -> None:
    assert ask(None) == SINCE


def test_series_that_does_not_reach_back_far_enough_is_asked_for_whole() -> None:
    assert ask(AskedRates(SINCE + timedelta(days=1), NOW, UNTIL)) == SINCE


def test_series_that_lacks_the_newest_days_is_asked_for_from_ten_days_before() -> None:
    assert ask(AskedRates(SINCE, LONG_AGO, date(2022, 12, 27))) == date(2022, 12, 17)


@pytest.mark.parametrize(
    "asked",
    [AskedRates(SINCE, LONG_AGO, UNTIL), AskedRates(SINCE, LONG_AGO + timedelta(seconds=1), date(2022, 12, 27))],
    ids=["complete", "asked within six hours"],
)
def test_series_is_not_asked_for_again(asked: AskedRates) -> None:
    assert ask(asked) is None


def test_series_of_which_nothing_came_is_asked_for_whole_again() -> None:
    assert ask(AskedRates(SINCE, LONG_AGO, None)) == SINCE
