"""`sigmasight trigger` and `schedule`: what a cron is told, and what a person sees."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import Result

from services.ops.client import progress, schedule
from services.ops.client.answers.schedule import Due
from services.ops.client.answers.vendors import Vendor
from services.ops.client.client import ApiClient, connections_to
from services.ops.client.commands.options import ClientOptions
from services.ops.client.lateness import too_early
from services.ops.client.routes import Route
from services.ops.errors import Unreachable
from tests.support.command_line import invoke

FIRE = {
    "fire_id": "f",
    "stage": "portfolios",
    "due_at": "2022-11-22T02:30:00Z",
    "session": "2022-11-21",
    "outcome": "requested",
    "detail": "",
    "run_ids": ["r"],
    "waits_for": None,
    "asked_by": "me",
}
NOTHING_FOUND: dict[str, Any] = {
    "/runs/r/causes": {"items": [], "next": None},
    "/findings/counts": {"findings": 0, "rules": []},
    "/vendors/requests": {"vendors": []},
}
NOTHING = {**FIRE, "outcome": "closed day", "run_ids": []}


def _run(status: str, failures: int = 0) -> dict[str, Any]:
    return {
        "run": {"run_id": "r", "kind": "nightly", "first_session": "2022-11-21", "last_session": "2022-11-21"},
        "status": status,
        "seconds": 1.0,
        "stages": [],
        "missing": [],
        "failures": [{"stage": "s", "subject": "X", "reason": "MISSING_DATA", "detail": ""}] * failures,
    }


class _Platform(ApiClient):
    """Has these fires and runs: of a list, each look takes the next."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__(connections_to("http://127.0.0.1:1"), {})
        self._answers = answers
        self.posted: list[tuple[str, Any]] = []

    def get(self, route: Route[Any], **query: object) -> Any:
        if _path(route) in NOTHING_FOUND:
            return NOTHING_FOUND[_path(route)]
        answer = self._answers[_path(route)]
        answer = answer.pop(0) if isinstance(answer, list) and len(answer) > 1 else answer
        answer = answer[0] if isinstance(answer, list) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def send(self, route: Route[Any], body: Any, **query: object) -> Any:
        self.posted.append((_path(route), body))
        return self._answers[_path(route)]


def _path(route: Route[Any]) -> str:
    return route.name.partition(" ")[2]


Sigmasight = Any


@pytest.fixture
def sigmasight(monkeypatch: pytest.MonkeyPatch) -> Sigmasight:
    """Runs a command against a platform that answers as given."""
    monkeypatch.setattr(progress, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(schedule, "_LOOK_EVERY_S", 0.0)

    def run(answers: dict[str, Any], *arguments: str) -> Result:
        @contextmanager
        def connected(*_: object) -> Iterator[ApiClient]:
            yield _Platform(answers)

        monkeypatch.setattr(ClientOptions, "connected", connected)
        return invoke(*arguments)

    return run


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (_run("completed"), 0),
        (_run("completed_with_errors", failures=1), 2),
        (_run("completed", failures=1), 2),
        (_run("failed"), 1),
        (_run("cancelled"), 1),
        (KeyboardInterrupt(), 130),
        (Unreachable("http://127.0.0.1:1", "refused"), 1),
    ],
)
def test_trigger_that_waits_tells_by_its_exit_code_how_the_night_ended(
    sigmasight: Sigmasight, run: Any, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_AWAY_AT_MOST_S", 0.0)
    answers = {"/schedule/triggers/nightly": [FIRE], "/runs/r": run}
    assert sigmasight(answers, "trigger", "nightly", "--wait").exit_code == expected


def test_trigger_that_waits_fails_when_one_run_of_several_does(sigmasight: Sigmasight) -> None:
    fires = [FIRE, {**FIRE, "run_ids": ["s"]}]
    answers = {"/schedule/triggers/nightly": fires, "/runs/r": _run("failed"), "/runs/s": _run("completed", failures=1)}
    assert sigmasight(answers, "trigger", "nightly", "--wait").exit_code == 1


def test_trigger_on_a_closed_day_or_without_waiting_is_no_failure(sigmasight: Sigmasight) -> None:
    assert sigmasight({"/schedule/triggers/nightly": [NOTHING]}, "trigger", "nightly", "--wait").exit_code == 0
    assert sigmasight({"/schedule/triggers/symbols": [FIRE]}, "trigger", "symbols").exit_code == 0


def test_trigger_that_waits_follows_what_a_waiting_stage_asks_for_later(sigmasight: Sigmasight) -> None:
    waiting = {**FIRE, "outcome": "waiting", "waits_for": "symbols", "run_ids": []}
    answers = {
        "/schedule/triggers/portfolios": [waiting],
        "/runs/symbols": [_run("active"), _run("completed")],
        "/schedule/fires/f": [
            waiting,
            {**waiting, "run_ids": ["early"]},
            {**waiting, **FIRE, "run_ids": ["early", "r"]},
        ],
        "/runs/early": _run("completed"),
        "/runs/r": _run("completed", failures=1),
    }
    ended = sigmasight(answers, "trigger", "portfolios", "--wait", "--json")
    assert ended.exit_code == 2
    told = json.loads(ended.stdout)
    assert told["fires"][0]["run_ids"] == ["early", "r"]
    assert [run["status"] for run in told["runs"]] == ["completed"] * 3


def test_schedule_shows_what_is_next_and_what_came_of_the_last(sigmasight: Sigmasight) -> None:
    pause = {"paused_at": "2022-11-21T20:00:00Z", "paused_by": "me", "why": "a move"}
    shown = {
        "enabled": False,
        "pause": pause,
        "triggers": [{"stage": "symbols", "crontab": "0 21 * * mon-fri", "zone": "America/New_York"}],
        "next": [
            {"stage": "symbols", "due_at": "2022-11-25T02:00:00Z", "session": "2022-11-23", "expected": "closed day"}
        ],
        "last": [FIRE],
    }
    vendor: dict[str, Any] = {"vendor": "massive", "windows": [], "kinds": [], "complete_from": None}
    answers = {"/schedule": shown, "/vendors": {"items": [vendor], "next": None}}
    text = sigmasight(answers, "schedule").stdout
    for part in (
        *("symbols: 0 21 * * mon-fri America/New_York", "BATCH_PROCESSING_ENABLED is false"),
        *("paused since 2022-11-21 20:00Z by me: a move", "2022-11-25 02:00Z", "closed day", "requested"),
    ):
        assert part in text
    assert json.loads(sigmasight(answers, "schedule", "--json").stdout) == {**shown, "late": []}


@pytest.mark.parametrize(
    ("stage", "due_at", "complete_from", "late"),
    [
        ("nightly", "2022-11-22T02:00:00Z", "24:00", True),
        ("nightly", "2022-11-22T05:00:00Z", "24:00", False),
        ("symbols", "2022-11-21T22:29:00Z", "17:30", True),
        ("symbols", "2022-11-21T22:30:00Z", "17:30", False),
        ("portfolios", "2022-11-21T22:00:00Z", "24:00", False),
        ("symbols", "2022-11-21T21:30:00Z", None, False),
    ],
)
def test_schedule_says_which_time_is_too_early_for_which_vendor(
    stage: str, due_at: str, complete_from: str | None, *, late: bool
) -> None:
    due: Due = {"stage": stage, "due_at": due_at, "session": "2022-11-21", "expected": ""}
    vendor: Vendor = {"vendor": "massive", "windows": [], "kinds": [], "complete_from": complete_from}

    said = [*too_early([due], [vendor])]

    assert bool(said) is late
    assert all(each.startswith(f"{stage} of 2022-11-21 is too early for massive, which has it from ") for each in said)


def test_schedule_is_paused_with_a_reason_and_resumed(sigmasight: Sigmasight) -> None:
    pause = {"paused_at": "2022-11-21T20:00:00Z", "paused_by": "me", "why": "a move"}
    assert sigmasight({}, "schedule", "pause").exit_code == 2
    answers = {"/schedule/pause": pause, "/schedule/resume": pause}
    assert (
        "paused since 2022-11-21 20:00Z by me: a move" in sigmasight(answers, "schedule", "pause", "--why", "x").stdout
    )
    assert "resumed; was paused by me: a move" in sigmasight(answers, "schedule", "resume").stdout
    assert "was not paused" in sigmasight({"/schedule/resume": None}, "schedule", "resume").stdout
