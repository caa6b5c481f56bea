"""The ledger of cells on PostgreSQL: folded from events in any order, and as the API shows it."""

import random
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.scheduler.core.cells import Fact, grid_of, state_at
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from shared.contracts.event import Event
from shared.contracts.market_data import PricesUpdated
from shared.contracts.run import Part, Run
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service
from tests.integration.scheduler.events import (
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    WEEK,
    new_symbol,
    opened,
    prices,
    record,
    table,
    valued,
)
from tests.support.runs import SESSION, make_run


async def ask_at(scheduler: Service, run: Run, minute: int) -> None:
    """Have the run asked for at a minute of a day before any test ran, before its first part is folded."""
    await record(scheduler, PricesUpdated(run=run, part=Part(index=98, total=99)))
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(
            sa.text("UPDATE runs SET requested_at = timestamptz '2025-03-15 00:00Z' + make_interval(mins => :minute) "
                    "WHERE run_id = :run_id"),
            {"minute": minute, "run_id": run.run_id},
        )  # fmt: skip


async def cells(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/cells", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(session: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(cell["subject"], cell["fact"]): cell["state"] for cell in session["cells"]}


@pytest.mark.parametrize("seed", range(6))
async def test_events_of_two_runs_in_any_order_and_twice_give_the_state_of_the_run_asked_for_last(
    scheduler: Service, seed: int
) -> None:
    one, two = new_symbol(), new_symbol()
    book, other = uuid4(), uuid4()
    night, again = (make_run(first_session=THURSDAY, last_session=FRIDAY) for _ in range(2))
    await ask_at(scheduler, night, 1)
    await ask_at(scheduler, again, 2)
    events: list[Event] = [
        prices(night, one, missing=(two,)),
        prices(again, two, part=Part(index=0, total=2)),
        prices(again, one, part=Part(index=1, total=2)),
        valued(night, book, other),
        valued(again, book, revision=2, failed=(other,)),
    ] * 2
    random.Random(seed).shuffle(events)  # noqa: S311 - an order, not a secret
    await record(scheduler, *events)

    async with scheduler.unit_of_work.reading() as connection:
        repository = CellRepository(connection)
        subjects = [one, two, str(book), str(other)]
        grid = grid_of(await repository.load_parts_of(subjects, MONDAY, FRIDAY, (Fact.BARS, Fact.SNAPSHOT)))
        of_run = await repository.load_parts_of_run(night.run_id)

    for session in (THURSDAY, FRIDAY):
        bars, snapshots = (state_at(grid, session, fact) for fact in (Fact.BARS, Fact.SNAPSHOT))
        assert bars.is_done(one)
        assert bars.is_done(two)
        cell, failed = snapshots.find_cell(str(book)), snapshots.find_cell(str(other))
        assert cell is not None
        assert failed is not None
        assert (cell.revision, cell.run_id) == (2, again.run_id)
        assert failed.why is not None
        assert (failed.why.reason, failed.why.detail, failed.run_id) == ("ValueError", "broken", again.run_id)
    assert {(said.part.session, said.part.fact) for said in of_run} == {
        (session, fact) for session in (THURSDAY, FRIDAY) for fact in (Fact.BARS, Fact.SNAPSHOT)
    }


async def test_portfolio_shows_its_own_cells_and_those_of_its_symbols_that_are_not_done(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    good, bad, book = new_symbol(), new_symbol(), uuid4()
    run = make_run(symbols=(good, bad), portfolio_ids=(book,), first_session=THURSDAY, last_session=FRIDAY)
    await record(
        scheduler,
        opened(run, book, "covered", good, bad, on=WEDNESDAY),
        prices(run, good, missing=(bad,)),
        table(SymbolsFactored, run, good),
        table(SymbolsMeasured, run, good),
        valued(run, book),
    )

    found = await cells(client, portfolio_id=book, first=TUESDAY, last=FRIDAY)

    assert (found["portfolio_id"], found["names"], found["next"]) == (str(book), {str(book): "covered"}, None)
    ages = {(age["fact"], age["sessions_behind"]): age["subjects"] for age in found["freshness"]}
    assert ages == {
        ("snapshot", 0): 1,
        ("assessment", None): 1,
        **{(fact, age): 1 for fact in ("bars", "factors", "metrics") for age in (0, None)},
    }
    before, never, first, last = found["items"]
    assert all(count["expected"] == 0 for count in before["counts"])
    assert before["cells"] == []
    assert {count["fact"]: (count["expected"], count["missing"]) for count in never["counts"]} == {
        **dict.fromkeys(("snapshot", "assessment"), (1, 1)),
        **dict.fromkeys(("bars", "factors", "metrics"), (2, 2)),
    }
    assert listed(first) == {
        (str(book), "snapshot"): "done",
        (str(book), "assessment"): "missing",
        (bad, "bars"): "failed",
        (bad, "factors"): "missing",
        (bad, "metrics"): "missing",
    }
    assert listed(last) == listed(first)
    snapshot = first["cells"][0]
    assert (snapshot["revision"], snapshot["run_id"]) == (1, str(run.run_id))
    (reason,) = [group for group in found["reasons"] if group["reason"] == "MISSING_DATA"]
    assert reason == {
        "fact": "bars",
        "reason": "MISSING_DATA",
        "detail": "nobody has it",
        "cells": 2,
        "first": str(THURSDAY),
        "last": str(FRIDAY),
        "subjects": [bad],
    }


async def test_symbol_is_expected_while_a_book_holds_it_else_from_its_first_factors(
    scheduler: Service, client: httpx.AsyncClient
) -> None:
    held, watched = new_symbol(), new_symbol()
    run = make_run(first_session=WEDNESDAY, last_session=FRIDAY)
    await record(
        scheduler,
        opened(run, uuid4(), "holds one", held, on=THURSDAY),
        prices(run, held, watched),
        table(SymbolsFactored, run, held, watched),
    )
    for symbol, since in ((held, THURSDAY), (watched, WEDNESDAY)):
        found = await cells(client, symbol=symbol, first=MONDAY, last=FRIDAY)
        assert found["symbol"] == symbol
        shown = {session["session"]: listed(session) for session in found["items"]}
        states = {(symbol, "bars"): "done", (symbol, "factors"): "done", (symbol, "metrics"): "missing"}
        assert shown == {str(session): states if session >= since else {} for session in WEEK}


async def test_everything_is_counted_per_session_and_paged(scheduler: Service, client: httpx.AsyncClient) -> None:
    symbols, book = [new_symbol() for _ in range(3)], uuid4()
    run = make_run(first_session=MONDAY, last_session=TUESDAY)
    await record(scheduler, opened(run, book, "counted", *symbols))
    before = await cells(client, first=MONDAY, last=FRIDAY)
    await record(scheduler, prices(run, *symbols[:2], missing=(symbols[2],)))
    after = await cells(client, first=MONDAY, last=FRIDAY)

    for one, other in zip(before["items"], after["items"], strict=True):
        own = one["session"] in {str(MONDAY), str(TUESDAY)}
        (bars,), (now,) = [[count for count in each["counts"] if count["fact"] == "bars"] for each in (one, other)]
        grown = {name: now[name] - bars[name] for name in ("expected", "done", "failed", "missing")}
        assert grown == ({"expected": 0, "done": 2, "failed": 1, "missing": -3} if own else dict.fromkeys(grown, 0))
        assert other["cells"] == []

    first = await cells(client, first=MONDAY, last=FRIDAY, limit=2)
    rest = await cells(client, first=MONDAY, last=FRIDAY, limit=4, cursor=first["next"])
    assert [session["session"] for page in (first, rest) for session in page["items"]] == list(map(str, WEEK))
    assert rest["next"] is None


async def test_range_ends_with_the_last_closed_session(client: httpx.AsyncClient) -> None:
    found = await cells(client)
    assert found["items"][-1]["session"] == str(SESSION)
    beyond = await cells(client, first=FRIDAY, last=date(2031, 1, 2))
    assert [session["session"] for session in beyond["items"]] == [str(FRIDAY)]


async def test_range_without_a_session_is_refused_by_what_is_wrong_with_it(client: httpx.AsyncClient) -> None:
    asked = [("2025-03-14", "2025-03-10"), ("2025-03-08", "2025-03-09"), ("2090-03-15", None)]
    answers = [await client.get("/cells", params=_bounds(first, last)) for first, last in asked]

    reversed_, empty, future = [answer.json()["errors"][0] for answer in answers]
    assert reversed_["reason"] == "must not be after 2025-03-10, the end of the range, was 2025-03-14"
    assert empty["reason"] == "must be a session or later, there is none from 2025-03-08 to 2025-03-09"
    assert future["reason"] == "must not be after 2025-03-14, the last closed session, was 2090-03-15"


def _bounds(first: str, last: str | None) -> dict[str, str]:
    return {"first": first} if last is None else {"first": first, "last": last}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"portfolio_id": UUID(int=5)}, 404),
        ({"symbol": "UNHEARDOF"}, 404),
        ({"symbol": "A", "portfolio_id": UUID(int=5)}, 422),
        ({"symbol": "not a symbol"}, 422),
        ({"first": "2025-03-15", "last": "2025-03-16"}, 422),
        ({"first": "2025-03-14", "last": "2025-03-10"}, 422),
        ({"limit": 401}, 422),
    ],
)
async def test_what_cannot_be_shown_is_refused(client: httpx.AsyncClient, query: dict[str, Any], status: int) -> None:
    assert (
        await client.get("/cells", params={name: str(value) for name, value in query.items()})
    ).status_code == status


async def test_book_is_what_its_owner_said_last_and_a_valuation_does_not_change_it(scheduler: Service) -> None:
    book, run = uuid4(), make_run(symbols=("A",))
    await record(scheduler, valued(make_run(), book))
    assert (await _books(scheduler, book)) == [(None, SESSION, ())]

    await record(scheduler, opened(run, book, "first", "A"))
    edited = make_run(symbols=("A", "B"))
    await record(scheduler, opened(edited, book, "first", "A", "B"), valued(make_run(), book))

    assert (await _books(scheduler, book)) == [("first", MONDAY, ("A", "B"))]


async def _books(scheduler: Service, portfolio_id: UUID) -> list[tuple[str | None, date, tuple[str, ...]]]:
    async with scheduler.unit_of_work.reading() as connection:
        books = await BookRepository(connection).load_books([portfolio_id])
    return [(book.name, book.opened_on, tuple(holding.symbol for holding in book.holdings)) for book in books]
