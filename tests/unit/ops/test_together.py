"""What does not depend on each other is asked at once, and no more of it than a service lets in."""

import threading
from concurrent.futures import Future

import pytest

from services.ops.client.together import AT_ONCE, together
from services.ops.errors import Refused
from shared.admission import OWN_AT_ONCE, OWN_WAITING


def test_calls_are_under_way_at_once() -> None:
    # Each waits for all of them: one after the other would never end.
    meeting = threading.Barrier(AT_ONCE, timeout=60)
    with together() as ask:
        met = [ask(meeting.wait) for _ in range(AT_ONCE)]
        assert sorted(each.result() for each in met) == list(range(AT_ONCE))


def test_no_more_are_under_way_than_three_pages_of_one_person_may_have() -> None:
    running, most, lock, go_on = [0], [0], threading.Lock(), threading.Event()

    def call() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == AT_ONCE:
                go_on.set()
        go_on.wait(60)
        with lock:
            running[0] -= 1

    with together() as ask:
        for each in [ask(call) for _ in range(20)]:
            each.result()
    assert most[0] == AT_ONCE
    assert 3 * AT_ONCE <= OWN_AT_ONCE + OWN_WAITING


def test_refusal_is_told_and_what_has_not_begun_is_not_asked() -> None:
    waiting: list[Future[int]] = []
    may_end = threading.Event()

    def refuse() -> None:
        raise Refused(404, "no portfolio")

    def ask_for_more() -> None:
        with together() as ask:
            refused = ask(refuse)
            for _ in range(AT_ONCE):
                ask(may_end.wait, 60)
            waiting.extend(ask(int) for _ in range(20))
            # What is under way is waited for, and ends when nothing else is to begin.
            waiting[-1].add_done_callback(lambda _: may_end.set())
            refused.result()

    with pytest.raises(Refused, match="no portfolio"):
        ask_for_more()
    assert all(each.cancelled() for each in waiting)
