from datetime import date, timedelta

import pytest

from services.market_data.core.refresh import Asked, profile_due, statements_due
from shared.conventions import EARNINGS_SETTLE_DAYS, PROFILE_STALE_DAYS

EARNINGS = date(2024, 2, 1)
NEXT = date(2024, 5, 2)


def day(after: int) -> date:
    """Return a day so long after the earnings."""
    return EARNINGS + timedelta(days=after)


def due(asked: Asked | None, *, today: date, earnings: date | None = EARNINGS, edition: str = "one") -> bool:
    return statements_due(asked, edition=edition, earnings=earnings, today=today)


def asked(after: int, earnings: date | None = EARNINGS) -> Asked:
    return Asked(day(after), "one", earnings)


def test_statements_never_asked_for_are_due() -> None:
    assert due(None, today=day(-50))


def test_statements_are_due_once_from_three_days_after_the_earnings_on() -> None:
    before = [due(asked(-20), today=day(after)) for after in range(-19, 6)]

    assert EARNINGS_SETTLE_DAYS == 3
    assert before == [False] * 22 + [True] * 3
    assert not any(due(asked(3), today=day(after)) for after in range(3, PROFILE_STALE_DAYS))


@pytest.mark.parametrize("after", [0, 1, 2])
def test_statements_asked_for_before_the_earnings_have_settled_are_due_again(after: int) -> None:
    assert not due(asked(after), today=day(2))
    assert due(asked(after), today=day(3))


def test_statements_are_due_after_the_earnings_that_a_provider_has_already_put_forward() -> None:
    # On the day after its earnings the profile names those of the next quarter.
    assert due(asked(-20), today=day(3), earnings=NEXT)
    assert not due(asked(3, NEXT), today=day(4), earnings=NEXT)
    assert due(asked(3, NEXT), today=NEXT + timedelta(days=3), earnings=NEXT)


def test_statements_are_due_earlier_when_the_earnings_are() -> None:
    assert due(asked(-20), today=day(-2), earnings=day(-5))


@pytest.mark.parametrize("earnings", [None, day(-PROFILE_STALE_DAYS)])
def test_statements_without_known_next_earnings_are_due_once_a_day(earnings: date | None) -> None:
    assert not due(asked(1, earnings), today=day(1), earnings=earnings)
    assert due(asked(1, earnings), today=day(2), earnings=earnings)


def test_statements_are_due_when_the_edition_of_the_providers_is_another_one() -> None:
    assert due(asked(-20), today=day(-20), edition="two")
    assert not due(asked(-20), today=day(-20))


def test_profile_is_due_once_a_day_and_in_every_edition() -> None:
    last = Asked(EARNINGS, "one")

    assert profile_due(None, edition="one", today=EARNINGS)
    assert not profile_due(last, edition="one", today=EARNINGS)
    assert profile_due(last, edition="one", today=day(1))
    assert profile_due(last, edition="two", today=EARNINGS)
