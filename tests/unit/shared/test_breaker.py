"""When a consumer stops to set messages aside: counted by hand."""

import pytest

from shared.bus.breaker import Breaker, BreakerOpen, BreakerPolicy

POLICY = BreakerPolicy(failures=2, among=3, first_break_s=10.0, longest_break_s=30.0, tries=3)
BUG = KeyError("a bug")


def _breaks(breaker: Breaker, times: int) -> list[float]:
    breaks = []
    for _ in range(times):
        with pytest.raises(BreakerOpen) as refused:
            breaker.check(BUG)
        breaks.append(refused.value.break_s)
    return breaks


def test_only_failures_among_the_last_messages_count() -> None:
    breaker = Breaker("prices.updated", POLICY)
    for _ in range(5):
        breaker.check(BUG)
        breaker.failed()
        breaker.passed()
        breaker.passed()
    assert breaker.trouble is None

    breaker.failed()
    breaker.check(BUG)
    breaker.failed()
    assert _breaks(breaker, 1) == [10.0]
    assert "2 of the last 3 messages of prices.updated failed, then KeyError('a bug')" in str(breaker.trouble)


def test_breaks_grow_and_the_last_one_is_the_end() -> None:
    breaker = Breaker("prices.updated", POLICY)
    breaker.failed()
    breaker.failed()
    assert _breaks(breaker, 3) == [10.0, 20.0, 30.0]
    assert not breaker.has_given_up
    assert _breaks(breaker, 1) == [30.0]
    assert breaker.has_given_up


def test_one_that_is_processed_closes_it_and_the_count_begins_anew() -> None:
    breaker = Breaker("prices.updated", POLICY)
    breaker.failed()
    breaker.failed()
    _breaks(breaker, 4)
    breaker.passed()
    assert (breaker.trouble, breaker.has_given_up) == (None, False)
    breaker.failed()
    breaker.check(BUG)
