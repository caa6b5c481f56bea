from collections.abc import Iterator
from typing import Any

import pytest

from services.ops.client import progress
from services.ops.client.client import ApiClient, connections_to
from services.ops.client.progress import follow_run
from services.ops.client.routes import FINDING_COUNTS, REQUESTS, Answer, Route
from services.ops.errors import Refused, Unreachable


class _Platform(ApiClient):
    """Answers what it was told to, one after the other."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(connections_to("http://127.0.0.1:1"), {})
        self._answers: Iterator[Any] = iter(answers)

    def get(self, route: Route[Answer], **query: object) -> Answer:
        beside: dict[Any, Any] = {FINDING_COUNTS: {"findings": 0, "rules": []}, REQUESTS: {"vendors": []}}
        answer: Any = beside[route] if route in beside else next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        given: Answer = answer
        return given


def _run(status: str, done: int) -> dict[str, Any]:
    stage = {"stage": "s", "parts_done": done, "parts_total": 2, "failures": 0}
    return {"run": {"run_id": "1"}, "status": status, "stages": [stage], "failures": []}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOOK_EVERY_S", 0.0)


def test_follow_run_ends_with_the_run_and_tells_each_complete_stage_once(capsys: pytest.CaptureFixture[str]) -> None:
    platform = _Platform(_run("active", 1), _run("active", 2), _run("completed", 2))

    assert follow_run(platform, "1")["status"] == "completed"
    assert capsys.readouterr().err == "s: 2 parts, 0 failures\n"


def test_follow_run_outlasts_a_restart_and_a_ledger_that_has_not_heard_of_it() -> None:
    away = Unreachable("http://127.0.0.1:1", "refused")
    platform = _Platform(Refused(404, "no run"), _run("active", 0), away, Refused(503, "not ready"), _run("failed", 1))

    assert follow_run(platform, "1")["status"] == "failed"


def test_who_stops_following_a_run_is_told_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        follow_run(_Platform(_run("active", 1), KeyboardInterrupt()), "17")

    assert capsys.readouterr().err == (
        "run 17 goes on; `sigmasight runs logs 17 --follow` follows it, `sigmasight runs cancel 17` ends it\n"
    )


def test_follow_run_without_permission_ends_at_once() -> None:
    with pytest.raises(Refused, match="403"):
        follow_run(_Platform(Refused(403, "no")), "1")


@pytest.mark.parametrize("never", [Refused(404, "no run"), Unreachable("http://127.0.0.1:1", "refused")])
def test_follow_run_does_not_wait_for_ever(never: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_AWAY_AT_MOST_S", 0.0)

    with pytest.raises(type(never)):
        follow_run(_Platform(*[never] * 10), "1")
