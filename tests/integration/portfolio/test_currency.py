"""Holdings in another currency than their book: shown with the reason, in no sum, valued once the currency is right."""

from decimal import Decimal
from typing import Any

from shared.contracts.market_data import Profile
from tests.integration.portfolio.conftest import NOW, WEEK, Books, new_name, run_for

CLOSES = dict(zip(WEEK, (2400.0, 2410.0, 2417.0, 2420.0, 2425.0), strict=True))


def quoted_in(symbol: str, currency: str | None) -> Profile:
    return Profile(symbol=symbol, currency=currency, source="files", fetched_at=NOW)


async def value(books: Books, portfolio_id: str, symbol: str) -> dict[str, Any]:
    found = (await books.client.get(f"/portfolios/{portfolio_id}/values")).raise_for_status().json()["items"]
    (held,) = [entry for entry in found if entry["symbol"] == symbol]
    return dict(held)


async def test_position_in_pence_is_held_with_the_reason_and_is_in_no_sum(books: Books) -> None:
    pence, dollars = new_name("P"), new_name("D")
    lots = ((pence, "18.882", WEEK[0], "2417"), (dollars, "1", WEEK[0], "2400"))
    accepted = await books.open(*lots, opening_equity="100000.00")
    run = await books.request(accepted["run_id"])

    profiles = (quoted_in(pence, "GBp"), quoted_in(dollars, "USD"))
    (valued,) = await books.value(run, {pence: CLOSES, dollars: CLOSES}, *profiles)

    portfolio_id = accepted["portfolio_id"]
    held = await value(books, portfolio_id, pence)
    assert (held["quantity"], held["value_reason"]) == (18.882, "CURRENCY_MISMATCH")
    assert held["value_detail"] == f"{pence} is quoted in GBp, the book is in USD, and nothing is converted"
    amounts = ("market_value", "cost", "unrealised_pnl", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure")
    assert {name: held[name] for name in amounts} == dict.fromkeys(amounts)
    last = (await books.snapshots(portfolio_id))[-1]
    assert (last["equity"], last["gross"], last["cash"]) == ("100025.00", "2425.00", "97600.00")
    assert (last["positions"], last["unvalued_positions"]) == (2, 1)
    assert [book.symbols for book in valued.books] == [(dollars,)]


async def test_book_in_the_currency_of_what_it_holds_values_it(books: Books) -> None:
    symbol = new_name("E")
    accepted = await books.open((symbol, "1", WEEK[0], "2400"), currency="EUR")

    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES}, quoted_in(symbol, "EUR"))

    assert (await value(books, accepted["portfolio_id"], symbol))["market_value"] == "2425.00"
    shown = (await books.client.get(f"/portfolios/{accepted['portfolio_id']}")).json()
    assert shown["currency"] == "EUR"


async def test_currency_that_is_put_right_costs_and_earns_nothing(books: Books) -> None:
    symbol = new_name("W")
    accepted = await books.open((symbol, "2", WEEK[0], "2400"), as_of=str(WEEK[0]))
    portfolio_id = accepted["portfolio_id"]
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES}, quoted_in(symbol, None))

    for session, currency in ((WEEK[1], "GBP"), (WEEK[2], "GBP"), (WEEK[3], "USD"), (WEEK[4], "USD")):
        run = run_for(portfolio_id, first=session, last=session)
        await books.value(run, {}, quoted_in(symbol, currency))

    # Two shares from 2,400 on Monday; without a value for two days; from Thursday's close before on again.
    assert await books.figures(portfolio_id, "pnl") == [Decimal(pnl) for pnl in ("0", "0", "0", "6", "10")]
    assert [entry["unvalued_positions"] for entry in await books.snapshots(portfolio_id)] == [0, 1, 1, 0, 0]
    held = await value(books, portfolio_id, symbol)
    assert (held["quantity"], held["market_value"], held["cost"]) == (2.0, "4850.00", "4800.00")


async def test_currency_is_three_capitals(books: Books) -> None:
    answer = await books.client.post("/portfolios", json={"name": "x", "opening_equity": "1", "currency": "GBp"})
    assert [error["field"] for error in answer.json()["errors"]] == ["body.currency"]
