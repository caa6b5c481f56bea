"""What pages do: each action is the request that the command line sends, and nothing is done before it is shown."""

import json
from typing import Any

import httpx
import pytest

from services.ops.board.backfills import stretches_of
from tests.unit.ops.board.stored import ID, PORTFOLIO, REDRIVE, RULING, RUN_ID, STEP, SUMMARY, everything, listed
from tests.unit.ops.board.world import World, wrongs_of

BY = {"requested_by": "board"}
OPENED = {**SUMMARY, "run": {**SUMMARY["run"], "run_id": ID}}


def _sent(world: World, name: str) -> Any:
    (request,) = world.sent(name)
    return json.loads(request.content)


async def _post(world: World, address: str, **fields: str) -> httpx.Response:
    async with world.pages() as browser:
        return await browser.post(address, data=fields, headers={"HX-Request": "true", "Authorization": "Bearer mine"})


# address, fields -> the route that is asked, the body that it gets, where the browser goes
ACTIONS: dict[str, tuple[str, dict[str, str], str, Any, str]] = {
    "cancel a run": (f"/pages/runs/{RUN_ID}/cancel", {}, f"POST /runs/{RUN_ID}/cancel", BY, f"/pages/runs/{RUN_ID}"),
    "retry a run": (
        f"/pages/runs/{RUN_ID}/retry-failed",
        {},
        f"POST /runs/{RUN_ID}/retry-failed",
        BY,
        f"/pages/runs/{ID}",
    ),
    "pause nights": (
        "/pages/schedule/pause",
        {"why": " a move "},
        "POST /schedule/pause",
        {"why": "a move", **BY},
        "/pages/schedule",
    ),
    "resume nights": ("/pages/schedule/resume", {}, "POST /schedule/resume", BY, "/pages/schedule"),
    "ask for a night": (
        "/pages/schedule/triggers/nightly",
        {},
        "POST /schedule/triggers/nightly",
        BY,
        "/pages/schedule",
    ),
    **{
        f"{change} a backfill": (
            f"/pages/backfills/{ID}/{change}",
            {},
            f"POST /backfills/{ID}/{change}",
            {},
            f"/pages/backfills/{ID}",
        )
        for change in ("pause", "resume", "cancel", "retry-failed")
    },
    "begin a backfill": (
        "/pages/backfills",
        {"first": "2022-12-01", "last": "", "reprocess": "failed", "symbols": "aapl, msft,", "portfolios": ""},
        "POST /backfills",
        {
            "first": "2022-12-01",
            "last": None,
            "symbols": ["AAPL", "MSFT"],
            "portfolio_ids": [],
            "reprocess": "failed",
            **BY,
        },
        f"/pages/backfills/{ID}",
    ),
    "drop a letter": (
        f"/pages/dead-letters/{ID}/drop",
        {"why": "old"},
        f"POST /dead-letters/{ID}/drop",
        {"why": "old", **BY},
        f"/pages/dead-letters/{ID}",
    ),
    "redrive a letter": (
        "/pages/redrives",
        {"letter_id": ID, "why": "repaired", "again": "on"},
        "POST /dead-letters/redrives",
        {
            "letter_ids": [ID],
            "reason": None,
            "topic": None,
            "run_id": None,
            "again": True,
            "dry_run": False,
            "why": "repaired",
            **BY,
        },
        f"/pages/redrives/{ID}",
    ),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_action_is_one_request_in_the_name_of_who_asks(action: str) -> None:
    address, fields, route, body, leads_to = ACTIONS[action]
    answers = {
        f"POST /runs/{RUN_ID}/retry-failed": (201, OPENED),
        "POST /backfills": (201, {"backfill_id": ID}),
        "POST /dead-letters/redrives": (201, {"plan": None, "redrive": REDRIVE, "left_out": []}),
    }
    world = World({route: (200, {})} | answers)

    answer = await _post(world, address, **fields)

    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, leads_to)
    assert _sent(world, route) == body
    assert [request.headers["authorization"] for request in world.asked] == ["Bearer mine"]


async def test_action_that_is_refused_says_why_where_one_is() -> None:
    world = World({f"POST /runs/{RUN_ID}/cancel": (409, {"detail": "it has ended"})})
    answer = await _post(world, f"/pages/runs/{RUN_ID}/cancel")
    assert (answer.status_code, "it has ended" in answer.text) == (409, True)
    assert "hx-redirect" not in answer.headers


async def test_plan_of_a_backfill_begins_nothing_and_is_begun_with_the_same_fields() -> None:
    world = World(everything())
    fields = {"first": "2022-12-01", "last": "2022-12-28", "reprocess": "all", "everything": "on"}

    answer = await _post(world, "/pages/backfills/plan", **fields)

    assert _sent(world, "POST /backfills/plan")["symbols"] is None
    assert world.sent("POST /backfills") == []
    assert wrongs_of(answer.text) == []
    assert "1,200" in answer.text
    for name, value in fields.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in answer.text


@pytest.mark.parametrize("fields", [{}, {"everything": "on", "symbols": "AAPL"}])
async def test_backfill_of_nothing_or_of_everything_and_more_is_refused(fields: dict[str, str]) -> None:
    world = World(everything())
    answer = await _post(world, "/pages/backfills", first="2022-12-01", reprocess="all", **fields)
    assert (answer.status_code, world.asked) == (422, [])


async def test_backfill_finds_portfolios_by_their_names() -> None:
    world = World({**everything(), "GET /portfolios": listed({**PORTFOLIO, "name": "Growth"})})
    await _post(world, "/pages/backfills/plan", first="2022-12-01", reprocess="all", portfolios="Growth")
    assert _sent(world, "POST /backfills/plan")["portfolio_ids"] == [ID]

    answer = await _post(world, "/pages/backfills/plan", first="2022-12-01", reprocess="all", portfolios="Grwth")
    assert (answer.status_code, "Grwth" in answer.text, "Growth" in answer.text) == (422, True, True)


def test_sessions_of_a_backfill_stand_as_the_first_of_their_steps_that_is_not_done() -> None:
    def step(day: str, status: str, failed: int = 0) -> Any:
        return {**STEP, "first_session": day, "last_session": day, "status": status, "failed": failed}

    steps = [step("2022-12-28", "queued"), step("2022-12-28", "running"), step("2022-12-27", "done", failed=2)]
    found = list(stretches_of([*steps, step("2022-12-23", "done"), step("2022-12-23", "skipped")]))

    assert [(each["first"], each["stands"]) for each in found] == [
        ("2022-12-23", "done"),
        ("2022-12-27", "failed"),
        ("2022-12-28", "running"),
    ]
    assert found[0]["cells"] == 60


async def test_redrive_is_shown_before_it_is_begun() -> None:
    world = World(everything())
    answer = await _post(world, "/pages/redrives/plan", reason="a bug & co", why="<b>")
    assert _sent(world, "POST /dead-letters/redrives")["dry_run"] is True
    assert wrongs_of(answer.text) == []
    assert "1 message of <code>risk.due</code> sent again to <code>risk.assess_portfolios</code>" in answer.text
    assert "2 symbols and 1 portfolio of 2022-12-27 to 2022-12-28 computed again in one new run" in answer.text
    assert '<input type="hidden" name="reason" value="a bug &amp; co">' in answer.text
    assert "Redrive 3 letters" in answer.text


async def test_decision_is_weighed_then_kept_and_what_it_changes_is_run() -> None:
    chosen = {"symbol": "JUMPY", "session": "2022-12-22", "rule": "UNEXPLAINED_JUMP", "decision": "accept"}
    world = World(everything())
    weighed = await _post(world, "/pages/findings/weigh", **chosen)
    assert _sent(world, "POST /findings/rulings")["dry_run"] is True
    assert wrongs_of(weighed.text) == []
    assert "250.0" in weighed.text
    assert "held" in weighed.text

    world = World({**everything(), "POST /runs": (201, OPENED)})
    answer = await _post(world, "/pages/findings/rulings", why="a merger", **chosen)
    kept = _sent(world, "POST /findings/rulings")
    assert (kept["dry_run"], kept["why"], kept["decision"]) == (False, "a merger", "accept")
    assert _sent(world, "POST /runs") == {
        "kind": "correction",
        "symbols": ["JUMPY"],
        "portfolio_ids": [ID],
        "first_session": "2022-12-22",
        "last_session": "2022-12-23",
        **BY,
    }
    assert answer.headers["hx-redirect"] == f"/pages/runs/{ID}"


async def test_decision_that_changes_nothing_runs_nothing() -> None:
    world = World({**everything(), "POST /findings/rulings": (200, {**RULING, "changes": []})})
    answer = await _post(world, "/pages/findings/rulings", symbol="JUMPY", why="x")
    assert (world.sent("POST /runs"), answer.headers["hx-redirect"]) == ([], "/pages/findings")


async def test_form_that_is_too_large_is_not_read() -> None:
    world = World(everything())
    answer = await _post(world, "/pages/schedule/pause", why="x" * 70_000)
    assert (answer.status_code, world.asked) == (413, [])
