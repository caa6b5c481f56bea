"""Readiness as the API says it, from what is stored."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.scheduler.handlers.record_dead_letter import record_dead_letter
from shared.bus.dead_letters import Letter
from shared.contracts.event import Event
from shared.contracts.portfolio import PortfolioDue
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service
from tests.integration.scheduler.events import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    assessed,
    new_symbol,
    opened,
    prices,
    record,
    table,
    valued,
)
from tests.support.runs import make_run


async def complete(scheduler: Service, run: Run, book: UUID, *symbols: str) -> None:
    """Fold everything that a run says of a book, but the stages that only its ledger needs."""
    tables = [table(kind, run, *symbols) for kind in (SymbolsFactored, SymbolsMeasured)]
    await record(scheduler, opened(run, book, f"book {book}", *symbols), prices(run, *symbols), *tables)
    await record(scheduler, valued(run, book), assessed(run, book))


async def set_aside(scheduler: Service, event: Event, *, consumer: str) -> None:
    said: Mapping[str, str] = {
        "ce_subject": f"{event.run.run_id}/0",
        "dlq-topic": event.topic,
        "dlq-consumer": consumer,
        "dlq-reason": "KeyError",
        "dlq-detail": "a bug",
    }
    letter = Letter(
        f"{event.topic}.dlq", 0, abs(hash(event.event_id)) % 10**9, "", event.model_dump_json().encode(), said
    )
    async with scheduler.unit_of_work() as uow:
        await record_dead_letter(letter, uow)


async def readiness(client: httpx.AsyncClient, book: UUID, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/readiness/{book}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_portfolio_is_ready_at_the_last_closed_session_and_stale_before_it_was_computed(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    book, symbol = uuid4(), new_symbol()
    await complete(scheduler, make_run(), book, symbol)

    ready = await readiness(client, book)
    assert (ready["state"], ready["as_of"], ready["newest_session"]) == ("ready", str(FRIDAY), str(FRIDAY))
    stale = await readiness(client, book, as_of=str(THURSDAY))
    assert (stale["state"], stale["newest_session"]) == ("stale", None)
    assert {cause["kind"] for cause in stale["causes"]} == {"never asked"}


async def test_portfolio_of_a_dead_letter_is_blocked_by_it(scheduler: Service, client: httpx.AsyncClient) -> None:
    book, symbol, run = uuid4(), new_symbol(), make_run(symbols=())
    await complete(scheduler, run, book, symbol)
    due = PortfolioDue(
        run=run, part=ONLY_PART, portfolio_ids=(book,), first_session=FRIDAY, last_session=FRIDAY, prices_seen_below=1
    )
    await set_aside(scheduler, due, consumer="portfolio.value_portfolios")

    found = await readiness(client, book)
    assert found["state"] == "blocked"
    (cause,) = found["causes"]
    assert (cause["kind"], cause["subjects"], cause["run_id"]) == ("dead letter", [str(book)], str(run.run_id))
    assert f"sigmasight dead-letters list --run {run.run_id}" in cause["todo"]


async def test_dropped_letter_is_no_longer_a_cause(scheduler: Service, client: httpx.AsyncClient) -> None:
    book, symbol, run = uuid4(), new_symbol(), make_run(symbols=())
    await complete(scheduler, run, book, symbol)
    seen_before = (await client.get("/readiness")).json()["dead_letters"]
    await set_aside(scheduler, prices(run, symbol), consumer="risk.store_prices")
    assert (await client.get("/readiness")).json()["dead_letters"] == seen_before + 1

    (letter,) = (await client.get("/dead-letters", params={"run_id": str(run.run_id)})).json()["items"]
    await client.post(f"/dead-letters/{letter['letter_id']}/drop", json={"why": "nobody needs it"})

    assert (await readiness(client, book))["state"] == "ready"
    assert (await client.get("/readiness")).json()["dead_letters"] == seen_before


async def test_list_counts_all_and_pages_through_those_of_a_state(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    books = sorted((uuid4() for _ in range(3)), key=str)
    for book in books:
        await record(scheduler, opened(make_run(symbols=()), book, f"never {book}", new_symbol(), on=THURSDAY))

    whole = (await client.get("/readiness", params={"as_of": str(THURSDAY)})).json()
    assert sum(whole["counts"].values()) == len(whole["items"])
    assert set(whole["counts"]) == {"ready", "pending", "blocked", "stale", "replaying"}
    by_state = [line["state"] for line in whole["items"]]
    assert whole["counts"] == {state: by_state.count(state) for state in whole["counts"]}

    seen: list[dict[str, Any]] = []
    address = f"/readiness?as_of={THURSDAY}&state=pending&limit=2"
    while address:
        answer = await client.get(f"http://scheduler{address}" if seen else address)
        page = answer.json()
        assert page["counts"] == whole["counts"]
        seen += page["items"]
        address = answer.links.get("next", {}).get("url", "")
        assert bool(address) == (page["next"] is not None)
    assert [line["portfolio_id"] for line in seen] == [
        line["portfolio_id"] for line in whole["items"] if line["state"] == "pending"
    ]
    before = (await client.get("/readiness", params={"as_of": str(MONDAY)})).json()
    assert not {line["portfolio_id"] for line in before["items"]} & set(map(str, books))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/readiness?as_of=2025-03-09", 422, "the one before is 2025-03-07"),
        ("/readiness?as_of=2025-03-17", 422, "and 2025-03-14, was 2025-03-17"),
        ("/readiness?state=fine", 422, "not valid"),
        (f"/readiness/{UUID(int=1)}", 404, "no portfolio"),
    ],
)
async def test_what_cannot_be_said_is_refused(client: httpx.AsyncClient, path: str, status: int, said: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


async def test_portfolio_that_opens_later_has_no_readiness(scheduler: Service, client: httpx.AsyncClient) -> None:
    book = uuid4()
    await record(scheduler, opened(make_run(symbols=()), book, f"late {book}", on=FRIDAY))
    answer = await client.get(f"/readiness/{book}", params={"as_of": str(THURSDAY)})
    assert answer.status_code == 404
    assert f"opens on {FRIDAY}" in answer.json()["detail"]


async def test_portfolio_that_was_closed_has_no_readiness_and_is_in_no_list(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    book = uuid4()
    await record(scheduler, opened(make_run(symbols=()), book, f"closed {book}", until=THURSDAY))

    then, after = [await client.get(f"/readiness/{book}", params={"as_of": str(day)}) for day in (THURSDAY, FRIDAY)]
    listed = (await client.get("/readiness", params={"as_of": str(FRIDAY), "limit": 1000})).json()["items"]

    assert (then.status_code, after.status_code) == (200, 404)
    assert f"was closed on {THURSDAY}" in after.json()["detail"]
    assert str(book) not in {entry["portfolio_id"] for entry in listed}
