"""The predecessor's mistakes in running valuations, by the numbers of its documentation, on real PostgreSQL."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.portfolio.handlers.value_portfolios import value_portfolios
from shared.contracts.portfolio import PortfoliosValued
from tests.integration.portfolio.conftest import WEEK, Books, new_name, run_for

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK
CLOSES = {day: 100.0 + index for index, day in enumerate(WEEK)}


async def _valued(books: Books, symbol: str, **terms: Any) -> str:
    """Return a portfolio of ten shares bought at 99 on Monday, valued over the week."""
    accepted = await books.open((symbol, "10", MONDAY, "99"), **terms)
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    return str(accepted["portfolio_id"])


async def test_defect_4_recomputation_starts_from_the_opening_equity_and_never_compounds(books: Books) -> None:
    symbol = new_name()
    portfolio_id = await _valued(books, symbol)

    for close in (150.0, 100.0, 150.0, 100.0):
        run = run_for(portfolio_id, first=MONDAY, last=FRIDAY)
        await books.value(run, {symbol: {**CLOSES, MONDAY: close}})

    assert await books.figures(portfolio_id, "equity") == [10_010, 10_020, 10_030, 10_040, 10_050]
    shown = (await books.client.get(f"/portfolios/{portfolio_id}")).json()
    assert shown["opening_equity"] == "10000.00"


async def test_defect_6_run_over_an_older_session_rewinds_nothing(books: Books) -> None:
    symbol = new_name()
    portfolio_id = await _valued(books, symbol)
    before = await books.snapshots(portfolio_id)

    await books.value(run_for(portfolio_id, first=TUESDAY, last=TUESDAY), {})
    assert await books.snapshots(portfolio_id) == before

    # And where the older session does change, the later ones follow.
    flow = {"on": str(TUESDAY), "amount": "100.00"}
    path = f"/portfolios/{portfolio_id}/flows"
    answer = await books.client.post(path, json=flow, params={"as_of": str(TUESDAY)})
    run = await books.request(answer.raise_for_status().json()["run_id"])
    assert (run.first_session, run.last_session) == (TUESDAY, TUESDAY)
    await books.value(run, {})
    assert await books.figures(portfolio_id, "equity") == [10_010, 10_120, 10_130, 10_140, 10_150]


async def test_defect_22_snapshot_is_seen_only_complete_with_all_its_positions(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", MONDAY, "99"))
    (due,) = await books.prepare(await books.request(accepted["run_id"]), {symbol: CLOSES})
    path = f"/portfolios/{accepted['portfolio_id']}/values"

    async with books.service.unit_of_work() as uow:
        await value_portfolios(due, uow, panel=books.panel, shelf=books.shelf)
        # Written, not yet committed: nobody sees a part of it, and a process that died here would leave nothing.
        assert await books.snapshots(accepted["portfolio_id"]) == []
        assert (await books.client.get(path)).status_code == 404

    assert len(await books.snapshots(accepted["portfolio_id"])) == len(WEEK)
    assert len((await books.client.get(path)).json()["items"]) == 1


async def test_defect_22_process_that_dies_while_it_values_leaves_nothing(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", MONDAY, "99"))
    (due,) = await books.prepare(await books.request(accepted["run_id"]), {symbol: CLOSES})

    async def die_before_the_commit() -> None:
        async with books.service.unit_of_work() as uow:
            await value_portfolios(due, uow, panel=books.panel, shelf=books.shelf)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await die_before_the_commit()
    assert await books.count("snapshots", accepted["portfolio_id"]) == 0

    await books.deliver(due)
    assert [entry["revision"] for entry in await books.snapshots(accepted["portfolio_id"])] == [1] * len(WEEK)


async def test_defect_26_announced_books_are_at_the_closes_of_their_sessions(books: Books) -> None:
    symbol = new_name()
    portfolio_id = await _valued(books, symbol)

    await books.value(run := run_for(portfolio_id, first=TUESDAY, last=THURSDAY), {})

    (valued,) = await books.announced(PortfoliosValued, run.run_id)
    assert {book.as_of: book.exposures for book in valued.books} == {
        TUESDAY: (1_010.0,),
        WEDNESDAY: (1_020.0,),
        THURSDAY: (1_030.0,),
    }
    assert {book.as_of: book.equity for book in valued.books}[THURSDAY] == Decimal(10_040)


async def test_defect_30_shown_values_have_the_sign_the_multiplier_and_the_close_of_the_session(books: Books) -> None:
    short, call = new_name(), new_name()
    entered = {"entry_date": str(MONDAY)}
    accepted = await books.open(
        positions=[
            {"symbol": short, "kind": "SHORT", "quantity": "-10", "entry_price": "104", **entered},
            {"symbol": call, "kind": "LC", "quantity": "2", "entry_price": "3", **entered},
        ]
    )
    # The bar of Wednesday is the last one to be written.
    run = await books.request(accepted["run_id"])
    without = {day: close for day, close in CLOSES.items() if day != WEDNESDAY}
    await books.value(run, {short: without, call: dict.fromkeys(WEEK, 4.0)})
    await books.value(run_for(accepted["portfolio_id"], first=FRIDAY, last=FRIDAY), {short: {WEDNESDAY: 50.0}})

    path = f"/portfolios/{accepted['portfolio_id']}/values"
    values = {entry["symbol"]: entry for entry in (await books.client.get(path)).json()["items"]}

    assert (values[short]["market_value"], values[short]["unrealised_pnl"]) == ("-1040.00", "0.00")
    assert (values[call]["market_value"], values[call]["unrealised_pnl"]) == ("800.00", "200.00")


async def test_defect_o33_new_book_has_its_history_from_its_first_session(books: Books) -> None:
    symbol = new_name()

    portfolio_id = await _valued(books, symbol)

    assert [entry["as_of"] for entry in await books.snapshots(portfolio_id)] == [str(day) for day in WEEK]


async def test_defect_10_5_symbol_in_small_letters_is_the_one_in_capitals(books: Books) -> None:
    accepted = await books.open(("brk-b", "1", MONDAY, "1"), ("BRK/B", "1", MONDAY, "1"))

    assert (await books.request(accepted["run_id"])).symbols == ("BRK.B",)


async def test_defect_p3_laggard_portfolio_catches_up_alone_and_holds_nobody_back(books: Books) -> None:
    symbol = new_name()
    laggard = await books.open((symbol, "10", MONDAY, "99"), as_of=str(MONDAY))
    await books.value(await books.request(laggard["run_id"]), {symbol: CLOSES})
    current = await _valued(books, symbol)
    ids = (UUID(laggard["portfolio_id"]), UUID(current))

    run = run_for(laggard["portfolio_id"], first=FRIDAY, last=FRIDAY).model_copy(update={"portfolio_ids": ids})
    due = await books.prepare(run, {})
    for event in due:
        await books.deliver(event)

    assert {event.portfolio_ids: (event.first_session, event.last_session) for event in due} == {
        (ids[0],): (TUESDAY, FRIDAY),
        (ids[1],): (FRIDAY, FRIDAY),
    }
    assert await books.figures(laggard["portfolio_id"], "equity") == await books.figures(current, "equity")
    assert date.fromisoformat((await books.snapshots(laggard["portfolio_id"]))[-1]["as_of"]) == FRIDAY
