"""What people ask of the scheduler over HTTP: runs, and how they stand."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.scheduler.handlers.record_progress import record_progress
from shared.contracts.event import Failure
from shared.contracts.run import ONLY_PART
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.paths import API
from shared.service import Service
from tests.support.bus_log import BusLog
from tests.support.databases import VIEWER_TOKEN

PROBLEM = "application/problem+json"


@pytest.fixture(autouse=True)
async def _nothing_under_way(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE runs, run_parts"))


async def test_request_for_a_run_opens_it_and_repeated_joins_it(client: httpx.AsyncClient) -> None:
    body = {"kind": "on_demand", "symbols": ["MSFT", "AAPL", "AAPL"], "requested_by": "me"}

    opened = await client.post("/runs", json=body)
    joined = await client.post("/runs", json=body)

    assert (opened.status_code, joined.status_code) == (201, 200)
    run = opened.json()["run"]
    assert run["symbols"] == ["AAPL", "MSFT"]
    assert (run["first_session"], run["last_session"]) == ("2025-03-14", "2025-03-14")
    assert joined.json() == opened.json()


async def test_line_logged_for_a_request_says_whose_it_is(client: httpx.AsyncClient, bus_log: BusLog) -> None:
    opened = (await client.post("/runs", json={"kind": "on_demand"})).json()

    (line,) = bus_log.of("run opened")
    assert (line["service"], line["run"]) == ("scheduler", opened["run"]["run_id"])


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"last_session": "2025-03-17"}, "last_session", "must not be after the last closed session 2025-03-14"),
        ({"first_session": "2099-01-02"}, "first_session", "must not be after the last closed session"),
        ({"last_session": "2025-03-08"}, "last_session", "must be a session (the one before is 2025-03-07)"),
        (
            {"first_session": "2025-03-14", "last_session": "2025-03-13"},
            "first_session",
            "must not be after 2025-03-13, the last session of the run",
        ),
        ({"first_session": "1980-01-02"}, "body.first_session", "greater than or equal to 1990-01-02"),
        ({"last_session": "0001-01-01"}, "body.last_session", "greater than or equal to 1990-01-02"),
        ({"kind": "weekly"}, "body.kind", "Input should be"),
        ({"symbols": []}, "body.symbols", "at least 1 item"),
        ({"portfolio_ids": []}, "body.portfolio_ids", "at least 1 item"),
        ({"symbols": ["aapl; DROP TABLE"]}, "body.symbols.0", "pattern"),
        ({"requested_by": "x" * 201}, "body.requested_by", "at most 200"),
        ({"requested_by": "a\x00b"}, "body.requested_by", "pattern"),
        ({"status": "completed"}, "body.status", "not permitted"),
    ],
)
async def test_request_that_cannot_be_served_names_the_field(
    client: httpx.AsyncClient, body: dict[str, Any], field: str, reason: str
) -> None:
    answer = await client.post("/runs", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert reason in error["reason"]


@pytest.mark.parametrize(
    ("authorization", "get_runs", "post_runs"),
    [
        (None, 401, 401),
        ("Bearer wrong", 401, 401),
        ("Bearer ", 401, 401),
        ("Basic b3BlcmF0b3I6", 401, 401),
        (f"Bearer {VIEWER_TOKEN}", 200, 403),
    ],
)
async def test_caller_without_the_role_is_refused(
    transport: httpx.ASGITransport, authorization: str | None, get_runs: int, post_runs: int
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}", headers=headers) as caller:
        read, write = await caller.get("/runs"), await caller.post("/runs", json={})
        dead_letters, live = await caller.get("/dead-letters"), await caller.get("http://scheduler/health/live")

    assert (read.status_code, write.status_code, dead_letters.status_code) == (get_runs, post_runs, post_runs)
    assert live.status_code == 200
    assert write.headers["content-type"] == PROBLEM


async def test_run_view_shows_stages_failures_and_what_is_missing(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    run = (await client.post("/runs", json={"kind": "replay"})).json()["run"]
    failure = Failure(subject="XYZ", reason="INSUFFICIENT_HISTORY", detail="12 of 60 sessions")
    event = SymbolsFactored(
        run=run, part=ONLY_PART, subjects=7, failures=(failure,), as_ofs=(), symbols=(), columns=(), values=()
    )
    async with scheduler.unit_of_work() as uow:
        await record_progress(event, uow)

    view = (await client.get(f"/runs/{run['run_id']}")).json()

    assert view["status"] == "active"
    stage = next(stage for stage in view["stages"] if stage["stage"] == "symbols.factored")
    assert (stage["parts_done"], stage["parts_total"], stage["subjects"], stage["failures"]) == (1, 1, 7, 1)
    assert view["failures"] == [{**failure.model_dump(mode="json"), "stage": "symbols.factored"}]
    assert "portfolios.valued: every part" in view["missing"]
    assert len(view["missing"]) == 6


async def test_run_that_nobody_knows_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/runs/{uuid4()}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_runs_are_listed_newest_first_and_paged(client: httpx.AsyncClient) -> None:
    for day, symbol in ((14, "A"), (13, "B"), (12, "C")):
        await client.post("/runs", json={"symbols": [symbol], "last_session": f"2025-03-{day}"})

    first = (await client.get("/runs", params={"limit": 2})).json()
    rest = (await client.get("/runs", params={"limit": 2, "cursor": first["next"]})).json()
    before = (await client.get("/runs", params={"before": first["items"][-1]["requested_at"]})).json()

    assert [entry["run"]["symbols"] for entry in [*first["items"], *rest["items"]]] == [["C"], ["B"], ["A"]]
    assert (rest["next"], before) == (None, rest)


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({"kind": "nightly"}, ["NIGHT"]),
        ({"status": "active"}, ["NIGHT", "LONG"]),
        ({"status": "cancelled"}, ["SHORT"]),
        ({"session": "2025-03-11"}, ["LONG"]),
        ({"session": "2025-03-12"}, ["SHORT", "LONG"]),
        ({"session": "2025-03-12", "status": "active", "kind": "on_demand"}, ["LONG"]),
        ({"session": "2025-03-12", "limit": 1}, ["SHORT"]),
    ],
)
async def test_runs_are_listed_by_kind_status_and_session(
    client: httpx.AsyncClient, query: dict[str, Any], symbols: list[str]
) -> None:
    await client.post(
        "/runs",
        json={"symbols": ["LONG"], "kind": "on_demand", "first_session": "2025-03-10", "last_session": "2025-03-12"},
    )
    short = await client.post("/runs", json={"symbols": ["SHORT"], "kind": "replay", "last_session": "2025-03-12"})
    await client.post(f"/runs/{short.json()['run']['run_id']}/cancel", json={})
    await client.post("/runs", json={"symbols": ["NIGHT"], "kind": "nightly"})

    listed = (await client.get("/runs", params=query)).json()["items"]

    assert [name for entry in listed for name in entry["run"]["symbols"]] == symbols


async def test_run_is_cancelled_once(client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/runs", json={})).json()["run"]["run_id"]

    cancelled = await client.post(f"/runs/{run_id}/cancel", json={"requested_by": "me"})
    again = await client.post(f"/runs/{run_id}/cancel", json={})

    assert (cancelled.status_code, cancelled.json()["status"], again.status_code) == (200, "cancelled", 409)
    assert (await client.post("/runs", json={})).status_code == 201


@pytest.mark.parametrize("what", ["cancel", "retry-failed"])
async def test_nothing_can_be_done_with_a_run_that_nobody_knows(client: httpx.AsyncClient, what: str) -> None:
    answer = await client.post(f"/runs/{uuid4()}/{what}", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_runs_before_an_instant_without_zone_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/runs", params={"before": "2025-03-14T21:00:00"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.before")


async def test_request_from_another_first_session_than_the_run_under_way_is_a_conflict(
    client: httpx.AsyncClient,
) -> None:
    body = {"symbols": ["RANGE"], "first_session": "2025-03-13"}
    run = (await client.post("/runs", json=body)).json()["run"]

    other = await client.post("/runs", json=body | {"first_session": "2025-03-12"})
    covered = await client.post("/runs", json={"symbols": ["RANGE"]})

    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
    assert other.json()["detail"] == f"run {run['run_id']} of 2025-03-13 to 2025-03-14 is under way"
    assert [error["run_id"] for error in other.json()["errors"]] == [run["run_id"]]
    assert (covered.status_code, covered.json()["run"]) == (200, run)


async def test_portfolios_that_nobody_knows_are_named_with_their_field(client: httpx.AsyncClient) -> None:
    unknown = sorted(str(uuid4()) for _ in range(2))
    answer = await client.post("/runs", json={"portfolio_ids": unknown})

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["errors"] == [{"field": "portfolio_ids", "reason": f"nobody knows {each}"} for each in unknown]


async def test_request_with_the_key_of_another_is_a_conflict(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    opened = await client.post("/runs", json={}, headers=key)
    again = await client.post("/runs", json={}, headers=key)
    other = await client.post("/runs", json={"symbols": ["AAPL"]}, headers=key)

    run_id = opened.json()["run"]["run_id"]
    assert (opened.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert (again.json(), again.headers["location"]) == (opened.json(), f"/api/v1/runs/{run_id}")
    assert (other.json()["errors"][0]["field"], run_id in other.json()["detail"]) == ("Idempotency-Key", True)


async def test_failures_of_a_run_are_paged_to_the_last(client: httpx.AsyncClient, scheduler: Service) -> None:
    run = (await client.post("/runs", json={"symbols": ["PAGED"]})).json()["run"]
    failures = tuple(Failure(subject=name, reason="MISSING_DATA", detail="") for name in "EDCBA")
    event = SymbolsFactored(
        run=run, part=ONLY_PART, subjects=5, failures=failures, as_ofs=(), symbols=(), columns=(), values=()
    )
    async with scheduler.unit_of_work() as uow:
        await record_progress(event, uow)

    read = []
    for after in (0, 2, 4, 6):
        view = (await client.get(f"/runs/{run['run_id']}", params={"failures": 2, "after": after})).json()
        read.append([failure["subject"] for failure in view["failures"]])

    assert read == [["A", "B"], ["C", "D"], ["E"], []]
