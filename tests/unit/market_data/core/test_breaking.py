from datetime import UTC, datetime, timedelta

import pytest

from services.market_data.core.breaking import LONGEST_PAUSE, LONGEST_TOLD, Breaker, Failure, State, after_failure

NOW = datetime(2022, 3, 1, 22, 0, tzinfo=UTC)
DOWN = Failure("502")


def _failed(times: int, failure: Failure = DOWN) -> Breaker:
    breaker: Breaker | None = None
    for _ in range(times):
        breaker = after_failure(breaker, failure, NOW)
    assert breaker is not None
    return breaker


@pytest.mark.parametrize(("failures", "minutes"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 4), (9, 60), (200, 60)])
def test_breaker_opens_with_the_third_failure_and_for_longer_with_each_further_one(failures: int, minutes: int) -> None:
    breaker = _failed(failures)

    assert (breaker.failures, breaker.why) == (failures, "502")
    assert breaker.open_until == (NOW + timedelta(minutes=minutes) if minutes else None)


def test_breaker_is_closed_then_open_then_half_open() -> None:
    breaker = _failed(3)

    assert _failed(2).state(NOW) is State.CLOSED
    assert breaker.state(NOW + timedelta(seconds=59)) is State.OPEN
    assert breaker.state(NOW + timedelta(seconds=60)) is State.HALF_OPEN


@pytest.mark.parametrize(
    ("told", "pause"),
    [
        (None, LONGEST_PAUSE),
        (timedelta(seconds=90), timedelta(seconds=90)),
        (timedelta(0), timedelta(seconds=1)),
        (timedelta(days=400), LONGEST_TOLD),
    ],
)
def test_failure_that_would_last_opens_at_once_for_as_long_as_the_vendor_says(
    told: timedelta | None, pause: timedelta
) -> None:
    assert _failed(1, Failure("spent", lasting=True, again_after=told)).open_until == NOW + pause
