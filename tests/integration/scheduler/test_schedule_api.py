from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from shared.service import Service
from tests.integration.scheduler.conftest import NOW
from tests.support.databases import VIEWER_TOKEN


@pytest.fixture(autouse=True)
async def _nothing_yet(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        for table in ("runs", "outbox", "fires", "triggers", "schedule_pauses"):
            await uow.connection.execute(sa.text(f"TRUNCATE {table}"))


async def _get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_schedule_shows_the_next_times_and_what_is_expected_of_them(client: httpx.AsyncClient) -> None:
    shown = await _get(client, "/schedule", limit=3)

    assert shown["triggers"] == [
        {"stage": "symbols", "crontab": "0 21 * * mon-fri", "zone": "America/New_York"},
        {"stage": "portfolios", "crontab": "30 21 * * mon-fri", "zone": "America/New_York"},
    ]
    assert [(due["stage"], due["due_at"], due["session"], due["expected"]) for due in shown["next"]] == [
        ("symbols", "2025-03-15T01:00:00Z", "2025-03-14", "fires"),
        ("portfolios", "2025-03-15T01:30:00Z", "2025-03-14", "fires"),
        ("symbols", "2025-03-18T01:00:00Z", "2025-03-17", "fires"),
    ]
    assert (shown["enabled"], shown["pause"], shown["last"]) == (True, None, [])
    assert len((await _get(client, "/schedule"))["next"]) == 10


async def test_schedule_over_good_friday_expects_a_closed_day(client: httpx.AsyncClient) -> None:
    expected = {due["due_at"]: due["expected"] for due in (await _get(client, "/schedule", limit=60))["next"]}
    assert expected["2025-04-19T01:00:00Z"] == "closed day"
    assert expected["2025-04-18T01:00:00Z"] == "fires"


async def test_night_by_hand_is_shown_with_who_asked_and_its_runs(client: httpx.AsyncClient) -> None:
    symbols, portfolios = await _post(client, "/schedule/triggers/nightly", requested_by="me")

    assert (symbols["outcome"], portfolios["outcome"]) == ("requested", "waiting")
    assert (symbols["session"], symbols["asked_by"], symbols["due_at"]) == (
        *("2025-03-14", "me"),
        NOW.isoformat().replace("+00:00", "Z"),
    )
    assert portfolios["waits_for"] == symbols["run_ids"][0]
    assert (await _get(client, f"/runs/{symbols['run_ids'][0]}"))["run"]["requested_by"] == "me"
    assert await _get(client, f"/schedule/fires/{portfolios['fire_id']}") == portfolios
    assert (await _get(client, "/schedule/fires"))["items"] == [portfolios, symbols]
    first = await _get(client, "/schedule/fires", limit=1)
    assert first["items"] == [portfolios]
    assert await _get(client, "/schedule/fires", limit=1, cursor=first["next"]) == {"items": [symbols], "next": None}
    assert (await _get(client, "/schedule", limit=1))["last"] == [portfolios]


async def test_pause_is_kept_with_who_paused_and_who_resumed(client: httpx.AsyncClient) -> None:
    paused = await _post(client, "/schedule/pause", why="the provider moves", requested_by="me")
    assert await _post(client, "/schedule/pause", why="again", requested_by="you") == paused
    shown = await _get(client, "/schedule", limit=1)
    assert shown["pause"] == paused
    assert shown["next"][0]["expected"] == "paused"

    ended = await _post(client, "/schedule/resume", requested_by="you")

    assert (ended["paused_by"], ended["why"], ended["resumed_by"]) == ("me", "the provider moves", "you")
    assert await _post(client, "/schedule/resume") is None
    assert await _get(client, "/schedule/pauses") == {"items": [ended], "next": None}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/schedule/pause", {}, "body.why"),
        ("/schedule/pause", {"why": ""}, "body.why"),
        ("/schedule/pause", {"why": "x", "until": "tomorrow"}, "body.until"),
        ("/schedule/triggers/weekly", {}, "path.stage"),
        ("/schedule/triggers/nightly", {"requested_by": "x" * 181}, "body.requested_by"),
    ],
)
async def test_request_about_the_schedule_that_makes_no_sense_names_the_field(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_schedule_is_changed_by_operators_only_and_an_unknown_fire_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    viewer = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    for path in ("/schedule/pause", "/schedule/resume", "/schedule/triggers/nightly"):
        assert (await client.post(path, json={"why": "x"}, headers=viewer)).status_code == 403
    assert (await client.get("/schedule", headers=viewer)).status_code == 200
    assert (await client.get(f"/schedule/fires/{uuid4()}")).status_code == 404
