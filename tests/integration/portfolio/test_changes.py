"""What changed the value of a portfolio, as it is served: since the session before, another, or an earlier revision."""

from decimal import Decimal
from typing import Any

import pytest

from tests.integration.portfolio.conftest import WEEK, Books, Closes, new_name

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK


def _rising(symbol: str, **other: float) -> Closes:
    return {symbol: {day: other.get(day.strftime("%A"), 100.0 + index) for index, day in enumerate(WEEK)}}


async def _valued(books: Books, symbol: str) -> str:
    """Return a portfolio of ten shares bought on Tuesday at 101, with 1,000 paid in on Thursday."""
    accepted = await books.open((symbol, "10", TUESDAY, "101"))
    portfolio_id: str = accepted["portfolio_id"]
    await books.value(await books.request(accepted["run_id"]), _rising(symbol))
    flow = {"on": str(THURSDAY), "amount": "1000.00"}
    answer = await books.client.post(f"/portfolios/{portfolio_id}/flows", json=flow)
    await books.value(await books.request(answer.raise_for_status().json()["run_id"]), _rising(symbol))
    return portfolio_id


async def _changes(books: Books, portfolio_id: str, **parameters: Any) -> Any:
    answer = await books.client.get(f"/portfolios/{portfolio_id}/changes", params=parameters)
    return answer.raise_for_status().json()


def _parts(view: Any) -> dict[str, Decimal]:
    parts = {entry["part"]: Decimal(entry["amount"]) for entry in view["parts"]}
    assert sum(parts.values()) == Decimal(view["total"])
    assert Decimal(view["after"]["equity"]) - Decimal(view["before"]["equity"]) == Decimal(view["total"])
    return {part: amount for part, amount in parts.items() if amount}


async def test_change_since_the_session_before_and_since_another(books: Books) -> None:
    symbol = new_name()
    portfolio_id = await _valued(books, symbol)

    newest = await _changes(books, portfolio_id)
    whole = await _changes(books, portfolio_id, since=str(TUESDAY))
    first = await _changes(books, portfolio_id, as_of=str(TUESDAY))

    assert (newest["before"]["as_of"], newest["after"]["as_of"]) == (str(THURSDAY), str(FRIDAY))
    assert _parts(newest) == {"prices": 10}
    assert _parts(whole) == {"flows": 1000, "prices": 30}
    # Bought at the close of its session, which made nothing yet.
    assert _parts(first) == {}
    assert [entry["symbol"] for entry in whole["by_position"]] == [symbol]


async def test_revision_after_a_corrected_close_and_quantity(books: Books) -> None:
    symbol = new_name()
    portfolio_id = await _valued(books, symbol)
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    terms = {"symbol": symbol, "kind": "LONG", "quantity": "20", "entry_date": str(TUESDAY), "entry_price": "101"}
    answer = await books.client.put(f"/portfolios/{portfolio_id}/positions/{position['position_id']}", json=terms)
    corrected = _rising(symbol, Friday=105.0)
    await books.value(await books.request(answer.raise_for_status().json()["run_id"]), corrected)

    view = await _changes(books, portfolio_id, revision=2)

    # 20 instead of 10 shares on Friday, from 103 to 105 and not to 104; 20 earned until Thursday were 40.
    assert _parts(view) == {"positions": 10, "prices": 20, "corrections": 20}


@pytest.mark.parametrize(
    ("parameters", "status", "told"),
    [
        ({"as_of": str(MONDAY)}, 404, "no snapshot on or before 2025-03-07"),
        ({"as_of": "2025-03-07"}, 404, "no snapshot on or before 2025-03-07"),
        ({"since": str(FRIDAY)}, 422, "query.since must be before 2025-03-14, was 2025-03-14"),
        ({"revision": 2}, 422, "query.revision must be below 2, the newest one, was 2"),
        ({"revision": 1, "since": str(MONDAY)}, 422, "query.revision must not be given with since, was 1"),
    ],
)
async def test_comparison_with_what_is_not_there_says_so(
    books: Books, parameters: dict[str, Any], status: int, told: str
) -> None:
    portfolio_id = await _valued(books, new_name())

    answer = await books.client.get(f"/portfolios/{portfolio_id}/changes", params=parameters)

    assert answer.status_code == status
    assert told in answer.json()["detail"]
