"""Batches by the paths, parameters and fields that administrators and owners' pages know."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service
from tests.integration.scheduler.events import assessed, opened, prices, record, table, valued
from tests.support.runs import make_run

BATCH = "/admin/batch"
SESSION = "2025-03-14"
BOOK = uuid4()


@pytest.fixture(autouse=True)
async def _one_book(scheduler: Service) -> AsyncIterator[None]:
    await record(scheduler, opened(make_run(kind=RunKind.ONBOARDING, portfolio_ids=(BOOK,)), BOOK, "mine", "AAPL"))
    await _finish(scheduler)
    yield
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE runs, run_parts, cell_parts, books, outbox"))


async def _finish(scheduler: Service, status: RunStatus = RunStatus.COMPLETED) -> None:
    async with scheduler.unit_of_work() as uow:
        runs = (await uow.connection.scalars(sa.text("SELECT run_id FROM runs WHERE status = 'active'"))).all()
        for run_id in runs:
            await SchedulerRepository(uow.connection).finish_run(run_id, status)


async def _post(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await client.post(f"{BATCH}{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _run(client: httpx.AsyncClient, batch_run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = (await _get(client, f"/runs/{batch_run_id}"))["run"]
    return run


async def test_run_is_started_once_and_shown_as_the_current_one(client: httpx.AsyncClient, scheduler: Service) -> None:
    assert await _get(client, f"{BATCH}/run/current") == {
        "status": "idle",
        "batch_run_id": None,
        "message": "no run is under way",
    }

    started = await _post(client, "/run")
    again = await _post(client, "/run")

    assert (started["status"], started["portfolio_id"], started["force_rerun"]) == ("started", "all", False)
    assert started["date_range"] == {"start": SESSION, "end": SESSION}
    assert (again["status"], again["batch_run_id"]) == ("running", started["batch_run_id"])
    assert started["poll_url"] == f"/api/v1/admin/batch/history/{started['batch_run_id']}"
    run = await _run(client, started["batch_run_id"])
    assert (run["symbols"], run["portfolio_ids"], run["kind"]) == (None, None, "on_demand")

    part = prices(Run.model_validate(run), "AAPL")
    await record(scheduler, part)
    current = await _get(client, f"{BATCH}/run/current")
    assert (current["status"], current["batch_run_id"]) == ("running", started["batch_run_id"])
    assert current["jobs"] == {"total": 7, "completed": 1, "failed": 0, "pending": 6}
    assert (current["current_job"], current["current_portfolio"], current["progress_percent"]) == (
        "profiles.updated",
        None,
        14.3,
    )


async def test_run_of_a_portfolio_is_in_the_way_of_another_unless_that_is_forced(client: httpx.AsyncClient) -> None:
    mine = await _post(client, "/run", portfolio_id=str(BOOK))
    assert mine["portfolio_id"] == str(BOOK)
    assert (await _run(client, mine["batch_run_id"]))["symbols"] == ["AAPL"]

    refused = await client.post(f"{BATCH}/run")
    forced = await _post(client, "/run", force="true")

    assert (refused.status_code, refused.json()["errors"][0]["run_id"]) == (409, mine["batch_run_id"])
    assert forced["batch_run_id"] != mine["batch_run_id"]


async def test_range_is_run_again_from_the_first_to_the_last_session_of_its_days(client: httpx.AsyncClient) -> None:
    # The 8th is a Saturday, the 9th a Sunday.
    started = await _post(client, "/run", force_rerun="true", start_date="2025-03-08", end_date="2025-03-11")
    assert (started["force_rerun"], started["date_range"]) == (True, {"start": "2025-03-10", "end": "2025-03-11"})


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"force_rerun": "true"}, 400),
        ({"start_date": "2025-03-10"}, 400),
        ({"end_date": "2025-03-10"}, 400),
        ({"force_rerun": "true", "start_date": "2025-03-08", "end_date": "2025-03-09"}, 422),
        ({"force_rerun": "true", "start_date": "20250310"}, 422),
        ({"portfolio_id": str(uuid4())}, 422),
        ({"token": "secret"}, 422),
    ],
)
async def test_run_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, query: dict[str, str], status: int
) -> None:
    answer = await client.post(f"{BATCH}/run", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (await _get(client, f"{BATCH}/run/current"))["status"] == "idle"


@pytest.mark.parametrize(
    ("path", "query", "symbols", "portfolio_ids"),
    [
        ("/trigger/market-data", {}, None, []),
        ("/trigger/company-profiles", {}, None, []),
        ("/trigger/correlations", {}, [], None),
        ("/trigger/correlations", {"portfolio_id": str(BOOK)}, [], [str(BOOK)]),
        ("/restore-sector-tags", {}, [], None),
        ("/restore-sector-tags", {"portfolio_id": str(BOOK)}, [], [str(BOOK)]),
        ("/data-quality/refresh", {}, None, None),
        ("/data-quality/refresh", {"portfolio_id": str(BOOK)}, ["AAPL"], [str(BOOK)]),
    ],
)
async def test_trigger_asks_for_the_run_that_computes_it(
    client: httpx.AsyncClient,
    path: str,
    query: dict[str, str],
    symbols: list[str] | None,
    portfolio_ids: list[str] | None,
) -> None:
    started = await _post(client, path, **query)

    assert (started["status"], started["triggered_by"]) == ("started", "admin")
    assert {"message", "timestamp", "batch_run_id"} <= set(started)
    run = await _run(client, started["batch_run_id"])
    assert (run["symbols"], run["portfolio_ids"], run["last_session"]) == (symbols, portfolio_ids, SESSION)


async def test_sector_tags_of_an_unknown_portfolio_are_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{BATCH}/restore-sector-tags", params={"portfolio_id": str(uuid4())})
    assert answer.status_code == 404
    tagged = await _post(client, "/restore-sector-tags")
    assert (tagged["portfolios_processed"], tagged["total_portfolios"], tagged["tags_created"]) == (1, 1, 0)


async def _ended_run(scheduler: Service, client: httpx.AsyncClient) -> str:
    batch_run_id: str = (await _post(client, "/run", portfolio_id=str(BOOK)))["batch_run_id"]
    run = Run.model_validate(await _run(client, batch_run_id))
    tables = [table(kind, run, "AAPL") for kind in (SymbolsFactored, SymbolsMeasured)]
    await record(scheduler, prices(run, missing=("AAPL",)), *tables, valued(run, BOOK), assessed(run, BOOK))
    await _finish(scheduler, RunStatus.COMPLETED_WITH_ERRORS)
    return batch_run_id


async def test_history_lists_counts_and_shows_runs(scheduler: Service, client: httpx.AsyncClient) -> None:
    batch_run_id = await _ended_run(scheduler, client)

    listed = await _get(client, f"{BATCH}/history")
    partial = await _get(client, f"{BATCH}/history", days=1, status="partial", limit=1)
    summary = await _get(client, f"{BATCH}/history/summary", days=7)
    shown = await _get(client, f"{BATCH}/history/{batch_run_id}")

    assert (listed["total_count"], listed["days"], listed["status_filter"]) == (2, 30, None)
    assert [run["status"] for run in listed["runs"]] == ["partial", "completed"]
    (run,) = partial["runs"]
    assert (partial["total_count"], run["id"], run["batch_run_id"]) == (1, batch_run_id, batch_run_id)
    assert (run["total_jobs"], run["completed_jobs"], run["failed_jobs"], run["has_errors"]) == (7, 5, 2, True)
    assert summary["status_breakdown"] == {"completed": 1, "failed": 0, "partial": 1, "running": 0, "cancelled": 0}
    assert (summary["period_days"], summary["total_runs"], summary["success_rate_percent"]) == (7, 2, 50.0)
    assert summary["most_recent"]["batch_run_id"] == batch_run_id
    assert shown["jobs"] == {"total": 7, "completed": 5, "failed": 2, "success_rate": 71.4}
    assert (shown["status"], shown["error_summary"]["count"]) == ("partial", 1)
    assert (await client.get(f"{BATCH}/history/{uuid4()}")).status_code == 404
    assert (await client.get(f"{BATCH}/history", params={"days": 91})).status_code == 422


async def test_log_is_json_text_or_a_count(scheduler: Service, client: httpx.AsyncClient) -> None:
    path = f"{BATCH}/history/{await _ended_run(scheduler, client)}/logs"

    log = await _get(client, path)
    counted = await _get(client, path, count_only="true")
    text = await client.get(path, params={"format": "txt"})

    assert len(log["entries"]) == log["total_count"] == counted["total_count"] == 7
    assert counted["entries"] == []
    assert set(log["entries"][0]) == {"timestamp", "message", "level", "stage"}
    assert [entry["stage"] for entry in log["entries"]].count(None) == 2
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    said = [f"{entry['stage'] or 'run'}: {entry['message']}" for entry in log["entries"]]
    assert [line.split(maxsplit=2)[2] for line in text.text.splitlines()] == said
    assert (await client.get(path, params={"format": "xml"})).status_code == 422
    assert (await client.get(f"{BATCH}/history/{uuid4()}/logs")).status_code == 404


async def test_data_quality_says_what_to_do_about_portfolios_that_are_not_ready(client: httpx.AsyncClient) -> None:
    found = await _get(client, f"{BATCH}/data-quality")
    assert (found["portfolio_id"], found["portfolios_checked"], found["quality_score"]) == ("all", 1, 0.0)
    assert {each["portfolio_name"] for each in found["recommendations"]} == {"mine"}
    assert "sigmasight run" in found["recommendations"][0]["recommendation"]
    mine = await _get(client, f"{BATCH}/data-quality", portfolio_id=str(BOOK))
    assert mine == found | {"portfolio_id": str(BOOK)}
    assert (await client.get(f"{BATCH}/data-quality", params={"portfolio_id": str(uuid4())})).status_code == 404


async def test_batch_of_a_portfolio_is_idle_running_or_how_it_ended(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    async def state(portfolio_id: UUID, run_id: object) -> str:
        found = await _get(client, f"/portfolios/{portfolio_id}/batch-status/{run_id}")
        assert (found["portfolio_id"], found["batch_run_id"]) == (str(portfolio_id), str(run_id))
        status: str = found["status"]
        return status

    batch_run_id = (await _post(client, "/run", portfolio_id=str(BOOK)))["batch_run_id"]
    assert await state(BOOK, batch_run_id) == "running"
    assert await state(uuid4(), batch_run_id) == "idle"
    assert await state(BOOK, uuid4()) == "idle"
    await _finish(scheduler, RunStatus.FAILED)
    assert await state(BOOK, batch_run_id) == "failed"


async def test_onboarding_is_shown_phase_by_phase(scheduler: Service, client: httpx.AsyncClient) -> None:
    unknown = await _get(client, f"/onboarding/status/{uuid4()}")
    assert (unknown["status"], unknown["phases"], unknown["mode"]) == ("not_found", [], "instant")

    run = make_run(kind=RunKind.ONBOARDING, portfolio_ids=(BOOK,), symbols=("AAPL",))
    await record(scheduler, opened(run, BOOK, "mine", "AAPL"), prices(run, "AAPL"))
    found = await _get(client, f"/onboarding/status/{BOOK}")

    assert (found["status"], found["overall_progress"]["phases_completed"]) == ("running", 1)
    assert found["overall_progress"] == {
        "current_phase": "profiles.updated",
        "current_phase_name": "Company profiles",
        "phases_completed": 1,
        "phases_total": 7,
        "percent_complete": 14.3,
    }
    assert [phase["status"] for phase in found["phases"]] == ["running", "completed", *["pending"] * 5]
    assert found["current_phase_progress"] == {"current": 0, "total": None, "unit": "parts"}
    assert {"timestamp", "message", "level", "stage"} == set(found["activity_log"][0])

    await _finish(scheduler, RunStatus.CANCELLED)
    ended = await _get(client, f"/onboarding/status/{BOOK}")
    assert (ended["status"], ended["current_phase_progress"]) == ("failed", None)
    assert [phase["status"] for phase in ended["phases"]] == ["failed", "completed", *["failed"] * 5]
