from datetime import date, timedelta

import pytest

from services.market_data.core.refresh import Asked, AskedProfile, statements_due, tiers_due
from services.market_data.core.tiers import EVERY_TIER, TIER_OF, Ages, Tier, Tiers, facts_of
from shared.conventions import EARNINGS_SETTLE_DAYS, PROFILE_STALE_DAYS
from shared.profile import FACTS

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


def tiers(on: int, *, today: int, earnings: date | None = None, edition: str = "one") -> Tiers:
    """Return what is due of a profile of which everything was asked for so long after the earnings."""
    known = AskedProfile(dict.fromkeys(Tier, day(on)), "one", earnings)
    return tiers_due(known, edition=edition, today=day(today), ages=Ages(valuations=1, estimates=7, description=30))


def test_parts_of_a_profile_are_due_by_their_own_age() -> None:
    assert tiers_due(None, edition="one", today=EARNINGS, ages=Ages()) == EVERY_TIER
    assert [sorted(tiers(0, today=after)) for after in (0, 1, 6, 7, 29, 30)] == [
        [],
        ["valuations"],
        ["valuations"],
        ["estimates", "valuations"],
        ["estimates", "valuations"],
        ["description", "estimates", "valuations"],
    ]
    assert tiers(0, today=0, edition="two") == EVERY_TIER


def test_what_is_expected_of_a_company_is_due_every_day_around_its_earnings() -> None:
    due = [Tier.ESTIMATES in tiers(today - 1, today=today, earnings=EARNINGS) for today in range(-5, 6)]

    assert due == [False, False, *[True] * 7, False, False]
    assert tiers(2, today=2, earnings=EARNINGS) == frozenset(), "once a day"


def test_part_that_was_never_asked_for_is_due() -> None:
    known = AskedProfile({Tier.VALUATIONS: EARNINGS}, "one")

    assert tiers_due(known, edition="one", today=EARNINGS, ages=Ages()) == {Tier.ESTIMATES, Tier.DESCRIPTION}


def test_every_fact_grows_old_and_what_valuations_lack_waits_for_another_turn() -> None:
    assert TIER_OF.keys() == set(FACTS)
    assert facts_of(frozenset({Tier.VALUATIONS})) == frozenset()
    assert {"ceo", "market_cap"} <= facts_of(frozenset({Tier.VALUATIONS, Tier.DESCRIPTION}))
    assert "beta" not in facts_of(frozenset({Tier.VALUATIONS, Tier.DESCRIPTION}))
