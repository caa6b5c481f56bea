"""What Prometheus reads of the ledger."""

from datetime import datetime, timedelta

import httpx
import sqlalchemy as sa

from services.scheduler.storage.gauges import read_ledger
from shared.clock import FixedClock, SessionClock
from shared.contracts.run import RunKind
from shared.metrics.catalogue import RUN_OLDEST
from shared.service import Service
from tests.integration.scheduler.letters import make_letter, record
from tests.support.runs import make_run

_PART = sa.text(
    "INSERT INTO run_parts (run_id, stage, part_index, part_total, subjects, failures, failed) "
    "VALUES (:run_id, :stage, :index, :total, 0, '[]', 0)"
)


async def _series(client: httpx.AsyncClient, *names: str) -> dict[str, float]:
    text = (await client.get("http://scheduler/metrics")).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(names)]
    return {series: float(value) for series, _, value in lines if float(value)}


async def test_run_is_active_until_it_has_ended_and_counted_then(client: httpx.AsyncClient) -> None:
    names = ("sigmasight_runs_active", "sigmasight_runs_total", "sigmasight_database_up")
    is_up = {'sigmasight_database_up{service="scheduler"}': 1.0}

    opened = (await client.post("/runs", json={"kind": "backfill", "last_session": "2025-03-13"})).json()
    assert await _series(client, *names) == {
        'sigmasight_runs_active{kind="backfill",service="scheduler"}': 1.0,
        **is_up,
    }

    run_id = opened["run"]["run_id"]
    answer = await client.post(f"/runs/{run_id}/cancel", json={"requested_by": "me"})
    assert answer.is_success, answer.text
    assert await _series(client, *names) == {
        'sigmasight_runs_total{kind="backfill",service="scheduler",status="cancelled"}': 1.0,
        **is_up,
    }


async def test_dead_letter_counts_until_it_is_dropped(client: httpx.AsyncClient, scheduler: Service) -> None:
    open_letters = 'sigmasight_dead_letters{service="scheduler"}'
    run_id = make_run().run_id
    await record(scheduler, make_letter(run_id))
    assert await _series(client, "sigmasight_dead_letters") == {open_letters: 1.0}

    (letter,) = (await client.get("/dead-letters", params={"run_id": str(run_id)})).json()["items"]
    path = f"/dead-letters/{letter['letter_id']}/drop"
    assert (await client.post(path, json={"why": "seen", "requested_by": "me"})).is_success

    assert await _series(client, "sigmasight_dead_letters") == {}


async def test_oldest_run_under_way_is_as_old_as_its_request(client: httpx.AsyncClient, scheduler: Service) -> None:
    days = ("2025-03-11", "2025-03-12")
    asked = [(await client.post("/runs", json={"kind": "correction", "last_session": day})).json() for day in days]
    (first, _) = (datetime.fromisoformat(answer["requested_at"]) for answer in asked)

    async with scheduler.unit_of_work.reading() as connection:
        readings = await read_ledger(connection, clock=SessionClock(FixedClock(first + timedelta(seconds=90))))

    ages = {reading.labels: reading.value for reading in readings if reading.metric is RUN_OLDEST}
    assert ages == {(kind.value,): 90.0 if kind is RunKind.CORRECTION else 0.0 for kind in RunKind}


async def test_parts_are_open_until_they_have_arrived_or_their_run_has_ended(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    opened = (await client.post("/runs", json={"kind": "backfill", "last_session": "2025-03-06"})).json()
    run_id = opened["run"]["run_id"]
    arrived = [("portfolios.assessed", 0, 5), ("portfolios.assessed", 3, 5), ("symbols.factored", 0, 1)]
    async with scheduler.unit_of_work() as uow:
        for stage, index, total in arrived:
            await uow.connection.execute(_PART, {"run_id": run_id, "stage": stage, "index": index, "total": total})

    waits_for = 'sigmasight_parts_open{service="scheduler",stage="portfolios.assessed"}'
    assert await _series(client, "sigmasight_parts_open") == {waits_for: 3.0}

    assert (await client.post(f"/runs/{run_id}/cancel", json={"requested_by": "me"})).is_success
    assert await _series(client, "sigmasight_parts_open") == {}
