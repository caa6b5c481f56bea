"""Who has failed too often waits, and nobody else."""

import time

import pytest

from services.ops.people import attempts as counted
from services.ops.people.attempts import Attempts, TooManyAttempts


def _fail(attempts: Attempts, times: int, name: str, address: str) -> None:
    for _ in range(times):
        attempts.count_failure(name, address)


def _waits(attempts: Attempts, name: str, address: str) -> bool:
    try:
        attempts.check(name, address)
    except TooManyAttempts:
        return True
    return False


def test_name_is_locked_where_it_was_tried_and_elsewhere_only_after_many() -> None:
    attempts = Attempts()
    _fail(attempts, 10, "ada", "192.0.2.1")
    assert _waits(attempts, "ada", "192.0.2.1")
    assert not _waits(attempts, "ada", "192.0.2.2")
    assert not _waits(attempts, "bob", "192.0.2.1")
    for last in range(2, 11):
        _fail(attempts, 10, "ada", f"192.0.2.{last}")
    assert _waits(attempts, "ada", "192.0.2.200")


def test_addresses_of_one_network_of_version_6_are_one() -> None:
    attempts = Attempts()
    for last in range(10):
        attempts.count_failure("ada", f"2001:db8::{last + 1:x}")
    assert _waits(attempts, "ada", "2001:db8::ffff")
    assert not _waits(attempts, "ada", "2001:db8:0:1::1")


def test_what_counts_no_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "_SWEPT_BEYOND", 30)
    attempts, now = Attempts(), time.time()
    for number in range(10):
        attempts.count_failure(f"n{number}", f"192.0.2.{number}")
    monkeypatch.setattr(time, "time", lambda: now + 16 * 60)
    attempts.count_failure("ada", "198.51.100.1")
    assert len(attempts._storage.events) == 3
