"""Books that nobody should have entered: they cost themselves a number or a reason, and their batch-mates nothing."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.portfolio.handlers.value_portfolios import value_portfolios
from shared.contracts.portfolio import PortfoliosValued
from shared.unavailable import Reason
from tests.integration.portfolio.conftest import WEEK, Books, new_name
from tests.support.runs import make_run

CLOSES = {day: 100.0 + index for index, day in enumerate(WEEK)}


async def _valued_together(books: Books, *accepted: dict[str, Any], closes: dict[str, dict[date, float]]) -> Any:
    """Value portfolios in one shard and return what was announced."""
    portfolio_ids = tuple(UUID(entry["portfolio_id"]) for entry in accepted)
    run = make_run(first_session=WEEK[0], last_session=WEEK[-1], portfolio_ids=portfolio_ids, symbols=())
    (due,) = await books.prepare(run, closes)
    assert set(due.portfolio_ids) == set(portfolio_ids)
    async with books.service.unit_of_work() as uow:
        await value_portfolios(due, uow, panel=books.panel, shelf=books.shelf)
    (valued,) = await books.announced(PortfoliosValued, run.run_id)
    return valued


async def test_defect_12_failed_portfolio_leaves_nothing_behind_and_stops_nobody(books: Books) -> None:
    symbol, huge = new_name(), new_name()
    good = await books.open((symbol, "10", WEEK[0], "99"))
    broken = await books.open((huge, "500000000000", WEEK[0], "1"))
    closes = {symbol: CLOSES, huge: dict.fromkeys(WEEK[2:], 1000000.0)}

    valued = await _valued_together(books, good, broken, closes=closes)

    assert await books.figures(good["portfolio_id"], "pnl") == [10, 10, 10, 10, 10]
    assert valued.subject_names() == (good["portfolio_id"],)
    (failure,) = valued.failures
    assert (failure.subject, failure.reason) == (broken["portfolio_id"], Reason.DEGENERATE_INPUT)
    assert await books.snapshots(broken["portfolio_id"]) == []

    # The night after the price has been corrected makes up for all sessions.
    await _valued_together(books, good, broken, closes={huge: dict.fromkeys(WEEK[2:], 2.0)})
    assert (await books.figures(broken["portfolio_id"], "pnl"))[2] == Decimal("500000000000.00")
    assert len(await books.snapshots(broken["portfolio_id"])) == len(WEEK)


async def test_every_kind_of_odd_book_has_numbers_or_reasons_and_stops_nobody(books: Books) -> None:
    listed, unpriced, wiped = new_name(), new_name(), new_name()
    odd = {
        "good": await books.open((listed, "10", WEEK[0], "99")),
        "empty": await books.open(),
        "penniless": await books.open((listed, "10", WEEK[0], "99"), opening_equity="0.00"),
        "indebted": await books.open((listed, "10", WEEK[0], "99"), opening_equity="-500.00"),
        "shorts only": await books.open((listed, "-10", WEEK[0], "99")),
        "never priced": await books.open((unpriced, "10", WEEK[0], "99")),
        "wiped out": await books.open((wiped, "-1000", WEEK[0], "100"), opening_equity="100.00"),
        "private": await books.open(
            positions=[{**_terms("HOUSE", "1", "300000"), "kind": "PRIVATE"}], opening_equity="300000.00"
        ),
        "expired": await books.open(
            positions=[{**_terms(new_name(), "1", "5"), "kind": "LC", "entry_date": "1990-01-02"} | _expired(listed)]
        ),
    }

    valued = await _valued_together(books, *odd.values(), closes={listed: CLOSES, wiped: CLOSES})

    assert valued.failures == ()
    last = {name: (await books.snapshots(entry["portfolio_id"]))[-1] for name, entry in odd.items()}
    pnl = {name: Decimal(entry["pnl"]) for name, entry in last.items()}
    assert pnl == {
        **dict.fromkeys(odd, Decimal(0)),
        "good": 10,
        "penniless": 10,
        "indebted": 10,
        "shorts only": -10,
        "wiped out": -1000,
    }
    assert {name for name, entry in last.items() if entry["daily_return"]["reason"]} == {"indebted", "wiped out"}
    assert {name for name, entry in last.items() if entry["twr_index"]["reason"]} == {
        "penniless",
        "indebted",
        "wiped out",
    }
    for entry in last.values():
        for measure in (entry["daily_return"], entry["twr_index"]):
            assert (measure["value"] is None) == (measure["reason"] is not None)


def _terms(symbol: str, quantity: str, price: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "kind": "LONG",
        "quantity": quantity,
        "entry_date": str(WEEK[0]),
        "entry_price": price,
    }


def _expired(underlying: str) -> dict[str, Any]:
    return {"option": {"underlying": underlying, "strike": "1", "expiration": "1990-01-19"}}


async def test_option_that_expired_before_the_calendar_begins_stops_nobody(books: Books) -> None:
    symbol = new_name()
    good = await books.open((symbol, "10", WEEK[0], "99"))
    header = (
        "Symbol,Quantity,Entry Price Per Share,Entry Date,Underlying Symbol,Strike Price,Expiration Date,Option Type"
    )
    ancient = await books.open(csv=f"{header}\n{new_name()},1,5,1950-01-04,{symbol},1,1950-01-06,CALL\n")

    valued = await _valued_together(books, good, ancient, closes={symbol: CLOSES})

    assert valued.failures == ()
    assert await books.figures(good["portfolio_id"], "pnl") == [10, 10, 10, 10, 10]
    assert await books.figures(ancient["portfolio_id"], "positions") == [0] * 5
