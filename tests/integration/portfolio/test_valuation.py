"""Books valued on real PostgreSQL: every session once, to the cent, and again when what they rest on has changed."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import sqlalchemy as sa

from services.portfolio.storage.repository import PortfolioRepository
from shared.contracts.portfolio import PortfoliosValued
from tests.integration.portfolio.conftest import WEEK, Books, new_name, run_for
from tests.support.eventually import eventually

FRIDAY_BEFORE = WEEK[0].replace(day=7)
CLOSES = dict(zip((FRIDAY_BEFORE, *WEEK), (100.0, 101.0, 102.5, 101.5, 103.0, 104.25), strict=True))


def cents(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


async def test_defect_3_sessions_since_the_opening_are_valued_oldest_first(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    run = await books.request(accepted["run_id"])

    (valued,) = await books.value(run, {symbol: CLOSES})

    snapshots = await books.snapshots(accepted["portfolio_id"])
    assert [entry["as_of"] for entry in snapshots] == [str(day) for day in WEEK]
    assert [Decimal(entry["pnl"]) for entry in snapshots] == cents("10.00", "15.00", "-10.00", "15.00", "12.50")
    assert [Decimal(entry["equity"]) for entry in snapshots][-1] == Decimal("10042.50")
    assert [snapshot.as_of for snapshot in valued.snapshots] == list(WEEK)
    assert [(book.as_of, book.symbols, book.exposures) for book in valued.books] == [(WEEK[-1], (symbol,), (1042.5,))]


async def test_defect_2_skipped_sessions_are_valued_by_the_next_run(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"), as_of=str(WEEK[0]))
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    assert len(await books.snapshots(accepted["portfolio_id"])) == 1

    await books.value(run_for(accepted["portfolio_id"], first=WEEK[-1], last=WEEK[-1]), {})

    snapshots = await books.snapshots(accepted["portfolio_id"])
    assert [(entry["as_of"], entry["revision"]) for entry in snapshots] == [(str(day), 1) for day in WEEK]


async def test_defect_7_flow_dated_back_recomputes_its_session_and_those_after(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    before = await books.figures(accepted["portfolio_id"], "equity")

    path = f"/portfolios/{accepted['portfolio_id']}/flows"
    answer = await books.client.post(path, json={"on": str(WEEK[2]), "amount": "2500.00"})
    run = await books.request(answer.raise_for_status().json()["run_id"])
    assert (run.first_session, run.last_session) == (WEEK[2], WEEK[-1])
    await books.value(run, {})

    snapshots = await books.snapshots(accepted["portfolio_id"])
    assert [entry["revision"] for entry in snapshots] == [1, 1, 2, 2, 2]
    assert [Decimal(entry["flow"]) for entry in snapshots] == cents("0", "0", "2500.00", "0", "0")
    after = [Decimal(entry["equity"]) for entry in snapshots]
    assert [new - old for old, new in zip(before, after, strict=True)] == cents("0", "0", "2500", "2500", "2500")
    moves = [Decimal(entry["pnl"]) + Decimal(entry["flow"]) for entry in snapshots[1:]]
    assert [second - first for first, second in pairwise(after)] == moves


async def test_defect_p13_position_entered_back_in_time_recomputes_from_its_entry(books: Books) -> None:
    held, late = new_name(), new_name()
    accepted = await books.open((held, "10", FRIDAY_BEFORE, "90.00"))
    await books.value(await books.request(accepted["run_id"]), {held: CLOSES, late: CLOSES})

    position = {"symbol": late, "kind": "SHORT", "quantity": "-4", "entry_date": str(WEEK[3]), "entry_price": "102.00"}
    path = f"/portfolios/{accepted['portfolio_id']}/positions"
    answer = await books.client.post(path, json={"positions": [position]})
    await books.value(await books.request(answer.raise_for_status().json()["run_id"]), {})

    snapshots = await books.snapshots(accepted["portfolio_id"])
    assert [entry["revision"] for entry in snapshots] == [1, 1, 1, 2, 2]
    # -4 x (103.00 - 102.00) on Thursday, -4 x (104.25 - 103.00) on Friday
    assert [Decimal(entry["pnl"]) for entry in snapshots[3:]] == cents("11.00", "7.50")


async def test_book_without_a_close_of_the_runs_session_is_a_failure_of_the_run_beside_its_snapshot(
    books: Books,
) -> None:
    symbol, other = new_name(), new_name()
    stale = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"), as_of=str(WEEK[2]))
    until = {day: close for day, close in CLOSES.items() if day <= WEEK[1]}

    (valued,) = await books.value(await books.request(stale["run_id"]), {symbol: until, other: CLOSES})

    (failure,) = valued.failures
    said = (failure.subject, failure.reason, failure.detail)
    assert said == (stale["portfolio_id"], "STALE_INPUT", "1 of 1 marks carried, the oldest 1 session old")
    last = (await books.snapshots(stale["portfolio_id"]))[-1]
    assert (last["as_of"], last["stale_gross"], last["oldest_mark"]) == (str(WEEK[2]), last["gross"], 1)
    assert (last["daily_return"]["value"], last["daily_return"]["reason"]) == (None, "STALE_INPUT")

    # A stale session in the middle of a run is none of its last: the next close has come.
    gap = {day: close for day, close in CLOSES.items() if day != WEEK[3]}
    run = run_for(stale["portfolio_id"], first=WEEK[4], last=WEEK[4])
    (healed,) = await books.value(run, {symbol: gap})
    assert healed.failures == ()


async def test_defect_o16_price_that_arrives_later_is_healed_as_a_new_revision(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    holed = {day: close for day, close in CLOSES.items() if day != WEEK[2]}
    await books.value(await books.request(accepted["run_id"]), {symbol: holed})
    carried = await books.snapshots(accepted["portfolio_id"])
    values = await books.client.get(f"/portfolios/{accepted['portfolio_id']}/values", params={"as_of": str(WEEK[2])})
    assert [(value["mark_source"], value["mark_age"], value["pnl"]) for value in values.json()["items"]] == [
        ("CARRIED", 1, "0.00")
    ]
    assert [entry["stale_positions"] for entry in carried] == [0, 0, 1, 0, 0]

    await books.value(run_for(accepted["portfolio_id"], first=WEEK[-1], last=WEEK[-1]), {symbol: CLOSES})

    healed = await books.snapshots(accepted["portfolio_id"])
    assert [entry["revision"] for entry in healed] == [1, 1, 2, 2, 1]
    assert [Decimal(entry["pnl"]) for entry in healed] == cents("10.00", "15.00", "-10.00", "15.00", "12.50")
    assert healed[-1] == carried[-1]


async def test_defect_p1_running_again_changes_no_money_and_writes_nothing(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    before = [await books.count(table, accepted["portfolio_id"]) for table in ("snapshots", "book_values")]

    again = run_for(accepted["portfolio_id"], first=WEEK[0], last=WEEK[-1])
    (valued,) = await books.value(again, {symbol: CLOSES})

    after = [await books.count(table, accepted["portfolio_id"]) for table in ("snapshots", "book_values")]
    assert after == before == [5, 5]
    assert {snapshot.revision for snapshot in valued.snapshots} == {1}


async def test_defect_23_two_runs_over_one_portfolio_are_valued_one_after_the_other(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    first = await books.request(accepted["run_id"])
    second = run_for(accepted["portfolio_id"], first=WEEK[0], last=WEEK[-1])
    due = [*await books.prepare(first, {symbol: CLOSES}), *await books.prepare(second, {})]
    assert len(due) == 2

    async with books.service.unit_of_work() as somebody:
        portfolios = PortfolioRepository(somebody.connection)
        await portfolios.load_portfolios([UUID(accepted["portfolio_id"])], lock=True)
        running = [asyncio.create_task(books.deliver(event)) for event in due]

        async def both_wait() -> bool:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            async with books.service.unit_of_work.reading() as looking:
                found = await looking.scalar(sa.text(f"{waiting} AND wait_event_type = 'Lock'"))
            return bool(found == len(due))

        await eventually(both_wait)
        assert not any(task.done() for task in running), "nobody values a portfolio that somebody else holds"
    await asyncio.gather(*running)

    assert await books.count("snapshots", accepted["portfolio_id"]) == 5
    assert [entry["revision"] for entry in await books.snapshots(accepted["portfolio_id"])] == [1] * 5
    for run in (first, second):
        assert len(await books.announced(PortfoliosValued, run.run_id)) == 1


async def test_run_without_portfolios_says_so_once(books: Books) -> None:
    nobody = run_for(str(UUID(int=1)), first=WEEK[-1], last=WEEK[-1])

    (valued,) = await books.value(nobody, {})

    assert (valued.snapshots, valued.books, valued.part.total) == ((), (), 1)


async def test_position_marked_at_cost_is_valued_again_when_the_close_of_its_entry_comes(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", WEEK[2], "50.00"))
    holed = {day: close for day, close in CLOSES.items() if day != WEEK[2]}
    await books.value(await books.request(accepted["run_id"]), {symbol: holed})
    at_cost = await books.snapshots(accepted["portfolio_id"])
    assert [entry["at_cost_positions"] for entry in at_cost] == [0, 0, 1, 0, 0]

    await books.value(run_for(accepted["portfolio_id"], first=WEEK[-1], last=WEEK[-1]), {symbol: CLOSES})

    healed = await books.snapshots(accepted["portfolio_id"])
    assert [entry["revision"] for entry in healed] == [1, 1, 2, 2, 1]
    assert [entry["at_cost_positions"] for entry in healed] == [0, 0, 0, 0, 0]
    assert healed[-1]["equity"] == at_cost[-1]["equity"]


async def test_defect_5_corrected_close_revises_existing_snapshots_and_nothing_twice(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", FRIDAY_BEFORE, "90.00"))
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    corrected = {**CLOSES, WEEK[1]: CLOSES[WEEK[1]] + 1.0}

    for _ in range(2):
        run = run_for(accepted["portfolio_id"], first=WEEK[-1], last=WEEK[-1])
        await books.value(run, {symbol: corrected})

    revised = await books.snapshots(accepted["portfolio_id"])
    # The sessions after it follow, too: their index has other factors, if the same value.
    assert [entry["revision"] for entry in revised] == [1, 2, 2, 2, 2]
