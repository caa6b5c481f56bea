"""Amounts explained: computed again from what is stored, to the cent, and told where something was corrected since."""

from decimal import Decimal
from typing import Any

import pytest

from services.portfolio.web.explanation import EXPLAINED
from tests.integration.portfolio.conftest import WEEK, Books, new_name
from tests.support.runs import make_run


async def _valued(books: Books) -> tuple[str, str]:
    symbol = new_name()
    accepted = await books.open((symbol, "10", WEEK[1], "101"), ("X" + symbol, "-5", WEEK[0], "50"))
    closes = {
        symbol: {day: 100.0 + index for index, day in enumerate(WEEK)},
        "X" + symbol: {day: 50.0 - index for index, day in enumerate(WEEK)},
    }
    await books.value(await books.request(accepted["run_id"]), closes)
    return accepted["portfolio_id"], symbol


async def _explained(books: Books, portfolio_id: str, name: str, **parameters: Any) -> Any:
    return (await books.client.get(f"/portfolios/{portfolio_id}/explain/{name}", params=parameters)).json()


async def test_every_amount_is_recomputed_to_the_cent_on_every_session(books: Books) -> None:
    portfolio_id, _ = await _valued(books)

    for day in WEEK:
        for name in EXPLAINED:
            view = await _explained(books, portfolio_id, name, as_of=str(day))
            assert (view["stored"], view["agrees"], view["inputs_unchanged"]) == (view["recomputed"], True, True), name


async def test_equity_is_shown_as_what_it_is_made_of(books: Books) -> None:
    portfolio_id, symbol = await _valued(books)

    view = await _explained(books, portfolio_id, "pnl", as_of=str(WEEK[2]))

    parts = {entry["value"]["symbol"]: entry for entry in view["positions"]}
    assert parts[symbol]["contribution"] == "10.00"
    assert parts["X" + symbol]["contribution"] == "5.00"
    assert (parts[symbol]["close"], parts[symbol]["split"], parts[symbol]["dividend"]) == (102.0, 1.0, 0.0)
    snapshot = view["snapshot"]
    assert Decimal(view["opening_equity"]) + Decimal(snapshot["pnl"]) == Decimal(snapshot["equity"])


async def test_explanation_names_the_provider_of_each_price_from_the_replica(books: Books) -> None:
    portfolio_id, symbol = await _valued(books)

    view = await _explained(books, portfolio_id, "net", as_of=str(WEEK[2]))

    day = str(WEEK[2])
    assert view["prices"] == [
        {"symbol": symbol, "session": day, "close": 102.0, "source": "files"},
        {"symbol": "X" + symbol, "session": day, "close": 48.0, "source": "files"},
    ]


async def test_amount_whose_price_was_corrected_says_so(books: Books) -> None:
    portfolio_id, symbol = await _valued(books)
    await books.prepare(make_run(first_session=WEEK[4], last_session=WEEK[4]), {symbol: {WEEK[4]: 150.0}})

    view = await _explained(books, portfolio_id, "equity", as_of=str(WEEK[4]))

    assert (view["inputs_unchanged"], view["agrees"]) == (False, False)
    assert view["recomputed"]["value"] > view["stored"]["value"]


async def test_amount_whose_price_was_corrected_to_nonsense_is_a_conflict_and_no_crash(books: Books) -> None:
    portfolio_id, symbol = await _valued(books)
    await books.prepare(make_run(first_session=WEEK[4], last_session=WEEK[4]), {symbol: {WEEK[4]: 1e15}})

    answer = await books.client.get(f"/portfolios/{portfolio_id}/explain/equity", params={"as_of": str(WEEK[4])})

    assert answer.status_code == 409
    assert str(WEEK[4]) in answer.json()["detail"]


@pytest.mark.parametrize("name", ["luck", "volatility_63d"])
async def test_amount_that_does_not_exist_is_not_found(books: Books, name: str) -> None:
    portfolio_id, _ = await _valued(books)

    answer = await books.client.get(f"/portfolios/{portfolio_id}/explain/{name}")

    assert answer.status_code == 404
    assert "equity" in answer.json()["detail"]
