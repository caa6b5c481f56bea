"""Why runs could not serve something, and the run that does it again."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.event import Failure
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service
from tests.integration.scheduler.events import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    assessed,
    opened,
    prices,
    record,
    table,
    valued,
)
from tests.support.runs import make_run

MINE, YOURS = uuid4(), uuid4()


@pytest.fixture(autouse=True)
async def _two_books(scheduler: Service) -> AsyncIterator[None]:
    yield
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE runs, run_parts, cell_parts, books, outbox"))


async def _finish(scheduler: Service, run: Run, status: RunStatus = RunStatus.COMPLETED_WITH_ERRORS) -> None:
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(run.run_id, status)


async def _week_but_for_two_symbols(scheduler: Service) -> Run:
    """Two books of two symbols each; GONE and LOST, one of each, have no bars on Friday."""
    await record(
        scheduler,
        opened(make_run(kind=RunKind.ONBOARDING), MINE, "mine", "AAPL", "GONE"),
        opened(make_run(kind=RunKind.ONBOARDING), YOURS, "yours", "MSFT", "LOST"),
    )
    run = make_run(first_session=MONDAY, last_session=FRIDAY, symbols=("AAPL", "GONE", "LOST", "MSFT"))
    before = run.model_copy(update={"last_session": THURSDAY})
    friday = run.model_copy(update={"first_session": FRIDAY})
    for own in (before, friday):
        served = ("AAPL", "MSFT") if own is friday else run.symbols or ()
        part = {"run": run, "part": prices(own).part.model_copy(update={"index": int(own is friday), "total": 2})}
        missing = ("GONE", "LOST") if own is friday else ()
        for event in (
            prices(own, *served, missing=missing),
            table(SymbolsFactored, own, *served),
            table(SymbolsMeasured, own, *served),
        ):
            failures = tuple(Failure(subject=each, reason="MISSING_DATA", detail="no bar") for each in missing)
            await record(scheduler, event.model_copy(update={**part, "failures": failures}))
    await record(scheduler, valued(run, MINE, YOURS), assessed(run, MINE, YOURS))
    await _finish(scheduler, run)
    return run


async def _post(client: httpx.AsyncClient, run_id: UUID, **body: Any) -> httpx.Response:
    return await client.post(f"/runs/{run_id}/retry-failed", json=body)


async def test_failures_of_one_reason_are_one_cause_with_the_portfolios_that_hold_them(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    run = await _week_but_for_two_symbols(scheduler)

    causes = (await client.get(f"/runs/{run.run_id}/causes")).json()["items"]

    assert causes == [
        {
            "stage": "prices.updated",
            "reason": "MISSING_DATA",
            "detail": "no bar",
            "subjects": 2,
            "first_subjects": ["GONE", "LOST"],
            "then": ["symbols.factored", "symbols.measured"],
            "portfolios": 2,
            "first_portfolios": [
                {"portfolio_id": portfolio_id, "name": name}
                for portfolio_id, name in sorted([(str(MINE), "mine"), (str(YOURS), "yours")])
            ],
        }
    ]
    assert (await client.get(f"/runs/{uuid4()}/causes")).status_code == 404


async def test_what_failed_is_run_again_with_who_holds_it_at_its_sessions_and_joined(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    run = await _week_but_for_two_symbols(scheduler)

    answer = await _post(client, run.run_id, requested_by="me")
    again = await _post(client, run.run_id)

    retry = answer.json()["run"]
    assert (answer.status_code, again.status_code, again.json()["run"]) == (201, 200, retry)
    assert answer.headers["location"] == f"/api/v1/runs/{retry['run_id']}"
    assert (retry["kind"], retry["requested_by"]) == ("on_demand", f"retry of {run.run_id} by me")
    assert (retry["first_session"], retry["last_session"]) == (str(FRIDAY), str(FRIDAY))
    assert (retry["symbols"], retry["portfolio_ids"]) == (["GONE", "LOST"], sorted([str(MINE), str(YOURS)]))


async def test_what_another_run_has_done_since_is_not_run_again(scheduler: Service, client: httpx.AsyncClient) -> None:
    run = await _week_but_for_two_symbols(scheduler)
    later = make_run(symbols=("LOST",))
    for event in (
        prices(later, "LOST"),
        table(SymbolsFactored, later, "LOST"),
        table(SymbolsMeasured, later, "LOST"),
    ):
        await record(scheduler, event)
    await _finish(scheduler, later)

    retry = (await _post(client, run.run_id)).json()["run"]
    assert (retry["symbols"], retry["portfolio_ids"]) == (["GONE"], [str(MINE)])

    done = await _post(client, later.run_id)
    assert (done.status_code, done.json()["detail"]) == (409, f"all that run {later.run_id} was to compute is done")


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
async def test_what_never_came_of_a_run_is_run_again(
    scheduler: Service, client: httpx.AsyncClient, status: RunStatus
) -> None:
    await record(
        scheduler,
        opened(make_run(kind=RunKind.ONBOARDING), MINE, "mine", "AAPL"),
        opened(make_run(kind=RunKind.ONBOARDING), YOURS, "yours", "MSFT"),
    )
    run = make_run(symbols=("AAPL",), portfolio_ids=(MINE,))
    await record(scheduler, prices(run, "AAPL"), table(SymbolsFactored, run, "AAPL"))
    await _finish(scheduler, run, status)

    retry = (await _post(client, run.run_id)).json()["run"]
    assert (retry["symbols"], retry["portfolio_ids"]) == (["AAPL"], [str(MINE)])


async def test_run_that_goes_on_is_not_run_again(scheduler: Service, client: httpx.AsyncClient) -> None:
    run = make_run(symbols=("AAPL",), portfolio_ids=())
    await record(scheduler, prices(run, missing=("AAPL",)))

    answer = await _post(client, run.run_id)
    assert (answer.status_code, answer.json()["detail"]) == (409, f"run {run.run_id} is under way")
