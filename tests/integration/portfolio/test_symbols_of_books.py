"""Whose betas a book takes: those of what is held, and of an option those of its underlying."""

from datetime import date

from tests.integration.portfolio.conftest import WEEK, Books, Closes, new_name

MONDAY, *_, FRIDAY = WEEK


def _flat(symbol: str) -> Closes:
    return {symbol: dict.fromkeys(WEEK, 100.0)}


async def test_defect_q13_position_that_was_deleted_is_in_no_book(books: Books) -> None:
    kept, deleted = new_name(), new_name()
    accepted = await books.open((kept, "10", MONDAY, "100"), (deleted, "5", MONDAY, "100"))
    prices = {**_flat(kept), **_flat(deleted)}
    (before,) = await books.value(await books.request(accepted["run_id"]), prices)
    assert set(before.books[-1].symbols) == {kept, deleted}
    held = (await books.client.get(f"/portfolios/{accepted['portfolio_id']}/positions")).json()["items"]
    (position_id,) = [position["position_id"] for position in held if position["symbol"] == deleted]

    answer = await books.client.delete(f"/portfolios/{accepted['portfolio_id']}/positions/{position_id}")
    (after,) = await books.value(await books.request(answer.raise_for_status().json()["run_id"]), prices)

    assert {book.symbols for book in after.books} == {(kept,)}


async def test_defect_q21_option_code_is_no_symbol_of_its_own_in_a_book(books: Books) -> None:
    code, underlying = new_name(), new_name()
    option = {"underlying": underlying, "strike": "100", "expiration": str(date(2025, 9, 19))}
    terms = {"symbol": code, "kind": "LP", "quantity": "1", "entry_date": str(MONDAY), "entry_price": "3"}
    accepted = await books.open(positions=[{**terms, "option": option}])

    # The code has prices of its own, and the underlying none from which a delta could follow.
    (valued,) = await books.value(await books.request(accepted["run_id"]), _flat(code))

    assert all(code not in book.symbols for book in valued.books)
