"""The log of a run: every part, dead letter and end, in an order in which nobody misses a line."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.scheduler.commands.cancel_run import cancel_run
from services.scheduler.commands.close_overdue_stages import close_overdue_stages
from services.scheduler.core.activity import Line
from services.scheduler.core.deadlines import Deadlines
from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.record_dead_letter import record_dead_letter
from services.scheduler.storage.log_repository import LogRepository
from shared.bus.dead_letters import Letter
from shared.contracts.run import Run
from shared.service import Service
from tests.integration.scheduler.events import record, stage_event, whole_run
from tests.support.runs import make_run


def _letter(run: Run) -> Letter:
    headers = {"dlq-consumer": "risk.store_books", "dlq-topic": "portfolios.valued", "dlq-reason": "KeyError"}
    return Letter("portfolios.valued.dlq", 0, 1, "key", b"{", {**headers, "ce_subject": f"{run.run_id}/0"})


async def _log(client: httpx.AsyncClient, run: Run, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/runs/{run.run_id}/log", params=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_log_of_a_run_has_a_line_for_everything_that_happened(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    run = make_run(requested_by="somebody")
    prices = [stage_event("prices.updated", run, index=index, total=2, failed=("X", "Y", "X")) for index in (1, 0)]
    await record(scheduler, *prices, prices[0])
    for _ in range(2):
        async with scheduler.unit_of_work() as uow:
            await record_dead_letter(_letter(run), uow)
    await record(scheduler, *(event for event in whole_run(run) if event.topic != "prices.updated"))
    await record(scheduler, stage_event("prices.updated", run, index=2, total=3))

    log = await _log(client, run)

    assert [line["what"] for line in log] == ["opened", "part", "part", "dead_letter", *["part"] * 6, "ended", "part"]
    assert log[0]["message"].endswith("asked for by somebody")
    assert [(line["stage"], line["parts_done"], line["parts_total"], line["level"]) for line in log[1:4]] == [
        ("prices.updated", 1, 2, "warning"),
        ("prices.updated", 2, 2, "warning"),
        ("portfolios.valued", None, None, "error"),
    ]
    assert log[1]["message"] == "part 2 of 2: 5 subjects, 3 failed (2 X, 1 Y)"
    assert log[2]["message"].startswith("part 1 of 2: 5 subjects, 3 failed (2 X, 1 Y); complete ")
    assert log[-2]["message"].startswith("completed with errors after ")
    places = [line["place"] for line in log]
    assert places == sorted(set(places))


async def test_log_is_paged_to_the_last_line(client: httpx.AsyncClient, scheduler: Service) -> None:
    run = make_run()
    await record(scheduler, *whole_run(run))
    whole = await _log(client, run)
    read: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 4}

    while query:
        page = (await client.get(f"/runs/{run.run_id}/log", params=query)).json()
        read += page["items"]
        assert (len(page["items"]) == 4) == (page["next"] is not None)
        query = query | {"cursor": page["next"]} if page["next"] else {}

    assert (read, len(whole)) == (whole, 9)


async def test_log_of_a_run_that_nobody_knows_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/runs/{uuid4()}/log")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_log_says_who_cancelled_a_run_and_what_never_came_before_its_deadlines(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    cancelled, overdue = make_run(), make_run()
    await record(scheduler, stage_event("prices.updated", cancelled))
    await record(scheduler, *(event for event in whole_run(overdue, parts=4)[:5] if event.part.index != 2))
    async with scheduler.unit_of_work() as uow:
        await cancel_run(cancelled.run_id, uow, requested_by="me")
    for _ in range(2):  # the portfolios' time counts from the end of the symbols
        async with scheduler.unit_of_work() as uow:
            await close_overdue_stages(uow, deadlines=Deadlines(timedelta(), timedelta()))

    end = (await _log(client, cancelled))[-1]
    assert (end["what"], end["message"].partition(": ")[2]) == ("ended", "cancelled by me")
    log = await _log(client, overdue)
    assert [line["what"] for line in log] == ["opened", *["part"] * 4, *["closed"] * len(STAGES), "ended"]
    assert [(line["stage"], line["message"], line["level"]) for line in log[5:8]] == [
        (stage, f"closed by its deadline: {stage}: {parts}", "warning")
        for stage, parts in zip(STAGES, ("part 2 of 4", "parts 1-3 of 4", "every part"), strict=False)
    ]
    assert [line["parts_done"] for line in log[1:5]] == [1, 2, 3, 1]


async def _read_behind(scheduler: Service, run_id: UUID) -> AsyncIterator[Line]:
    """Yield the lines as somebody reads who goes on behind the last one that was seen, until the run has ended."""
    last = -1
    while True:
        async with scheduler.unit_of_work.reading() as connection:
            for line in await LogRepository(connection).list_lines(run_id, after=last, limit=1000):
                yield line
                last = line.place
                if line.what == "ended":
                    return
        await asyncio.sleep(0)


@pytest.mark.parametrize("_round", range(3))
async def test_reader_who_goes_on_behind_the_last_line_misses_none_while_parts_arrive_at_once(
    scheduler: Service, client: httpx.AsyncClient, _round: int
) -> None:
    """A place that is taken before another one but is committed after it would be passed over."""
    run = make_run()

    async def read() -> list[Line]:
        return [line async for line in _read_behind(scheduler, run.run_id)]

    reading = asyncio.create_task(read())
    await asyncio.gather(*(record(scheduler, event) for event in whole_run(run, parts=6)))

    seen = [line.place for line in await reading]
    assert seen == [line["place"] for line in await _log(client, run)]
    assert len(seen) == 2 + 6 * len(STAGES)
