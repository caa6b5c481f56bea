"""Asking for runs and looking at them, in our words and the predecessor's."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import Result

from services.ops.client.client import ApiClient, connections_to
from services.ops.client.commands.options import ClientOptions
from services.ops.client.commands.runs import Kind, Status
from services.ops.client.routes import Route
from services.ops.errors import Refused
from shared.contracts.run import RunKind
from shared.contracts.scheduler import RunStatus
from tests.support.command_line import invoke

MINE, YOURS = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
PORTFOLIOS = [{"name": "mine", "portfolio_id": MINE}, {"name": "yours", "portfolio_id": YOURS}]
CAUSE = {
    "stage": "prices.updated",
    "reason": "MISSING_DATA",
    "detail": "nobody has it",
    "subjects": 18,
    "first_subjects": ["A", "B"],
    "then": [],
    "portfolios": 1,
    "first_portfolios": [{"portfolio_id": MINE, "name": "mine"}],
}


def _run(run_id: str = "r", status: str = "completed", *, failures: int = 0) -> dict[str, Any]:
    session = "2022-12-28"
    return {
        "run": {
            "run_id": run_id,
            "kind": "on_demand",
            "first_session": session,
            "last_session": session,
            "requested_by": "me",
        },
        "status": status,
        "requested_at": f"2022-12-28T22:00:0{len(run_id)}Z",
        "seconds": 1.0,
        "stages": [],
        "missing": [],
        "failures": [{"stage": "s", "subject": "A", "reason": "MISSING_DATA", "detail": ""}] * failures,
    }


MARKS: dict[str, Any] = {"stale_gross": "60.00", "gross": "100.00", "positions": 12, "unvalued_positions": 0}
SAID: dict[str, Any] = {
    "/health/ready": {"status": "ready"},
    "/snapshots": {
        "items": [
            {**MARKS, "portfolio_id": MINE, "stale_positions": 3, "oldest_mark": 982},
            {**MARKS, "portfolio_id": YOURS, "stale_positions": 0, "oldest_mark": 0},
        ],
        "next": None,
    },
    "/portfolios": {"items": PORTFOLIOS, "next": None},
    "/dead-letters/counts": {"letters": 0, "causes": []},
    "/runs/r/causes": {"items": [CAUSE], "next": None},
    "/findings/counts": {"findings": 0, "rules": []},
    "/vendors/requests": {"vendors": []},
}


class _Platform(ApiClient):
    """Has two portfolios and three runs, of which the one that is asked for ends as told."""

    def __init__(self, ended: dict[str, Any]) -> None:
        super().__init__(connections_to("http://127.0.0.1:1"), {})
        self._ended = ended
        self.sent: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, dict[str, object]]] = []

    def get(self, route: Route[Any], **query: object) -> Any:
        self.asked.append((route.name, query))
        match route.name.partition(" ")[2]:
            case "/runs":
                if query.get("cursor") is None and query.get("before") is None:
                    return {"items": [_run("rrr"), _run("rr")], "next": "rr"}
                oldest = query["before"] == _run("r")["requested_at"]
                return {"items": [] if oldest else [_run("r")], "next": None}
            case "/runs/r":
                return self._ended
            case "/runs/rr" | "/runs/rrr":
                return _run("rr")
            case path if path in SAID:
                return SAID[path]
        raise Refused(404, f"no {route.name}")

    def send(self, route: Route[Any], body: Any, **_: object) -> Any:
        self.sent.append((route.name, body))
        return _run()


Sigmasight = Any


@pytest.fixture
def sigmasight(monkeypatch: pytest.MonkeyPatch) -> Sigmasight:
    """Runs a command against a platform whose run ends as given."""

    def run(*arguments: str, ended: dict[str, Any] | None = None) -> tuple[Result, _Platform]:
        platform = _Platform(ended or _run())

        @contextmanager
        def connected(*_: object) -> Iterator[ApiClient]:
            yield platform

        monkeypatch.setattr(ClientOptions, "connected", connected)
        return invoke(*arguments), platform

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("--start", "2022-12-27", "--as-of", "2022-12-28", "--json"),
        ("--start-date", "2022-12-27", "--end-date", "2022-12-28", "--summary-json", "--force-rerun"),
    ],
    ids=["ours", "the predecessor's"],
)
def test_run_of_several_portfolios_over_a_range_is_one_in_either_words(
    sigmasight: Sigmasight, words: tuple[str, ...]
) -> None:
    named = ("--portfolio", "yours", "--portfolio", MINE.upper(), "--portfolio", "mine")
    done, platform = sigmasight("run", *named, *words)

    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "completed")
    ((route, body),) = platform.sent
    assert route == "POST /runs"
    assert body["portfolio_ids"] == [YOURS, MINE]
    assert (body["kind"], body["first_session"], body["last_session"]) == ("on_demand", "2022-12-27", "2022-12-28")


def test_run_without_options_is_over_everything_at_the_target_session(sigmasight: Sigmasight) -> None:
    _, platform = sigmasight("run")
    ((_, body),) = platform.sent
    assert [body[name] for name in ("portfolio_ids", "first_session", "last_session")] == [None, None, None]


def test_run_of_portfolios_that_nobody_knows_names_them_and_begins_nothing(sigmasight: Sigmasight) -> None:
    unknown = "00000000-0000-0000-0000-0000000000ff"
    done, platform = sigmasight("run", "--portfolio", "mine", "--portfolio", "theirs", "--portfolio", unknown)

    assert done.exit_code == 2
    assert done.stderr == f"sigmasight: no portfolio has the name or id 'theirs', {unknown!r}\n"
    assert platform.sent == []


def test_run_of_a_name_that_is_nearly_known_says_which_it_may_have_meant(sigmasight: Sigmasight) -> None:
    done, _ = sigmasight("run", "--portfolio", "MI-NE")

    assert done.stderr == "sigmasight: no portfolio has the name or id 'MI-NE'; did you mean 'mine'?\n"


@pytest.mark.parametrize("command", [("run",), ("runs", "retry-failed", "old")])
def test_run_that_served_not_everything_fails_and_shows_a_line_a_cause(
    sigmasight: Sigmasight, command: tuple[str, ...]
) -> None:
    ended = _run(status="completed_with_errors", failures=18)
    done, platform = sigmasight(*command, ended=ended)

    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if "MISSING_DATA" in line]
    assert [cell.strip() for cell in line.split("│")[4:6]] == ["18", "A, B, 16 more"]
    assert [route for route, _ in platform.sent] == [
        "POST /runs" if command == ("run",) else "POST /runs/old/retry-failed"
    ]
    assert json.loads(sigmasight(*command, "--json", ended=ended)[0].stdout)["causes"] == [CAUSE]


def test_runs_are_listed_to_the_last_page_of_the_kind_status_and_session(sigmasight: Sigmasight) -> None:
    done, platform = sigmasight(
        *("runs", "list", "--json", "--kind", "on_demand", "--status", "completed", "--session", "2022-12-28")
    )
    assert [listed["run"]["run_id"] for listed in json.loads(done.stdout)] == ["rrr", "rr", "r"]
    assert {str(query["session"]) for _, query in platform.asked} == {"2022-12-28"}
    assert {(query["kind"], query["status"]) for _, query in platform.asked} == {("on_demand", "completed")}


def test_runs_are_paged_on_by_the_last_one_shown(sigmasight: Sigmasight) -> None:
    def listed(*options: str) -> list[str]:
        found = json.loads(sigmasight("runs", "list", "--json", *options)[0].stdout)
        return [entry["run"]["run_id"] for entry in found]

    assert listed("--limit", "1") == ["rrr"]
    assert listed("--before", "rr") == ["r"]
    assert sigmasight("runs", "list", "--before", "r")[0].stdout == "no such runs\n"


def test_run_is_shown_by_its_id_as_it_stands(sigmasight: Sigmasight) -> None:
    shown, _ = sigmasight("runs", "show", "r", ended=_run(status="active", failures=1))
    assert (shown.exit_code, "nobody has it" in shown.stdout) == (0, True)

    nobody, _ = sigmasight("runs", "show", "x")
    assert (nobody.exit_code, nobody.stderr) == (2, "sigmasight: refused (404): no GET /runs/x\n")


def test_run_is_cancelled_by_its_id(sigmasight: Sigmasight) -> None:
    done, platform = sigmasight("runs", "cancel", "r", "--json")
    assert (done.exit_code, json.loads(done.stdout)["run"]["run_id"]) == (0, "r")
    assert [route for route, _ in platform.sent] == ["POST /runs/r/cancel"]


@pytest.mark.parametrize("command", [("run",), ("runs", "retry-failed", "r"), ("runs", "cancel", "r")])
def test_platform_is_told_who_asks(
    sigmasight: Sigmasight, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise OSError

    for account, told in ((lambda: "ann", "cli: ann"), (nobody, "cli")):
        monkeypatch.setattr(getpass, "getuser", account)
        _, platform = sigmasight(*command)
        assert [body["requested_by"] for _, body in platform.sent] == [told]


def test_kinds_and_states_of_runs_are_those_that_the_platform_knows() -> None:
    assert {kind.value for kind in Kind} == {kind.value for kind in RunKind}
    assert {status.value for status in Status} == {status.value for status in RunStatus}


def test_status_says_whose_marks_are_old(sigmasight: Sigmasight) -> None:
    done, platform = sigmasight("status")

    assert "mine: 3 of 12 marks carried, the oldest 982 sessions old, 60.0% of gross" in done.stdout
    assert "yours" not in done.stdout
    (asked,) = [query for name, query in platform.asked if name == "GET /snapshots"]
    assert (asked["first"], asked["last"]) == ("2022-12-28", "2022-12-28")
