"""Entering books over HTTP: everything or nothing, each error with its place."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.portfolio.commands import request_calculation
from services.portfolio.commands.request_calculation import MAX_SYMBOLS
from services.portfolio.handlers.close_calculation import close_calculation
from shared.contracts.portfolio import Holding, SymbolsOnboarding
from shared.contracts.run import ONLY_PART
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.db.outbox import outbox_row
from tests.integration.portfolio.conftest import WEEK, Books, new_name
from tests.support.runs import make_run

CSV = "Symbol,Quantity,Entry Price Per Share,Entry Date\n"


def body(**changes: Any) -> dict[str, Any]:
    terms = {"opening_equity": "10000.00", "opened_on": str(WEEK[0]), "as_of": str(WEEK[-1])}
    return {"name": new_name("book "), **terms, **changes}


async def names(books: Books) -> set[str]:
    return {entry["name"] for entry in (await books.client.get("/portfolios", params={"limit": 5000})).json()["items"]}


async def test_csv_with_errors_is_refused_with_line_field_and_code_of_each_and_stores_nothing(books: Books) -> None:
    before = await names(books)

    answer = await books.client.post(
        "/portfolios", json=body(csv=CSV + "AAPL,ten,100,2025-03-03\nMSFT,5,100,2025-03-03\nXOM,5,100,2031-01-02\n")
    )

    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert [(error["line"], error["field"]) for error in errors] == [(2, "Quantity"), (4, "Entry Date")]
    assert all(error["code"].startswith("ERR_POS_") and error["reason"] for error in errors)
    assert await names(books) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"opening_equity": "ten"}, "opening_equity"),
        ({"opening_equity": "1.234"}, "opening_equity"),
        ({"opening_equity": "1000000000000.01"}, "opening_equity"),
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"unknown": 1}, "unknown"),
        ({"as_of": "2025-03-15"}, "as_of"),
        ({"as_of": "2025-03-17"}, "as_of"),
        ({"opened_on": "1990-01-01"}, "opened_on"),
        ({"opened_on": "2025-03-17"}, "opened_on"),
        ({"opened_on": "0001-01-01"}, "opened_on"),
        ({"opened_on": "9999-12-31"}, "opened_on"),
        ({"as_of": "0001-01-01"}, "as_of"),
    ],
)
async def test_body_with_a_wrong_field_is_refused_naming_it(books: Books, changes: dict[str, Any], field: str) -> None:
    answer = await books.client.post("/portfolios", json=body(**changes))

    assert answer.status_code == 422
    assert [error["field"].rpartition(".")[2] for error in answer.json()["errors"]] == [field]


async def test_position_in_the_future_is_refused_by_its_number(books: Books) -> None:
    late = {"symbol": "AAPL", "kind": "LONG", "quantity": "1", "entry_date": "2025-03-17", "entry_price": "1"}
    good = late | {"entry_date": "2025-03-12"}

    answer = await books.client.post("/portfolios", json=body(positions=[good, late]))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["positions.1"]


async def test_defect_o31_name_that_is_taken_leaves_the_first_portfolio_as_it_is(books: Books) -> None:
    first = body(csv=CSV + "AAPL,10,100,2025-03-03\n")
    portfolio_id = (await books.client.post("/portfolios", json=first)).json()["portfolio_id"]

    answer = await books.client.post("/portfolios", json=first | {"csv": CSV + "MSFT,10,100,2025-03-03\n"})

    assert answer.status_code == 409
    positions = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    assert [position["symbol"] for position in positions] == ["AAPL"]


async def test_stored_book_asks_for_its_symbols_and_not_for_private_ones(books: Books) -> None:
    header = CSV.strip() + ",Investment Class\n"
    rows = "MSFT,1,1,2025-03-03,\nAAPL,1,1,2025-03-03,\nHOUSE,1,9,2025-03-03,PRIVATE\n"

    accepted = (await books.client.post("/portfolios", json=body(csv=header + rows))).json()

    (event,) = await books.announced(SymbolsOnboarding, UUID(accepted["run_id"]))
    assert accepted["positions"] == 3
    assert event.run.symbols == ("AAPL", "MSFT")
    assert event.run.portfolio_ids == (UUID(accepted["portfolio_id"]),)
    assert (event.run.first_session, event.run.last_session) == (WEEK[-1], WEEK[-1])


async def test_opening_on_a_weekend_moves_to_the_next_session(books: Books) -> None:
    accepted = await books.open(opened_on="2025-03-08")

    shown = (await books.client.get(f"/portfolios/{accepted['portfolio_id']}")).json()

    assert shown["opened_on"] == str(date(2025, 3, 10))


async def test_flow_of_zero_and_flow_of_an_unknown_portfolio_are_refused(books: Books) -> None:
    accepted = await books.open()
    path = f"/portfolios/{accepted['portfolio_id']}/flows"

    zero = await books.client.post(path, json={"on": str(WEEK[1]), "amount": "0.00"})
    unknown = await books.client.post(f"/portfolios/{UUID(int=7)}/flows", json={"on": str(WEEK[1]), "amount": "1"})

    assert (zero.status_code, unknown.status_code) == (422, 404)


async def test_defect_o25_second_request_joins_the_calculation_under_way(books: Books) -> None:
    accepted = await books.open(("AAPL", "1", WEEK[0], "100"))
    path = f"/portfolios/{accepted['portfolio_id']}/calculate"

    asked = (await books.client.post(path, json={})).json()
    first = asked["run_id"]
    second = (await books.client.post(path, json={})).json()["run_id"]
    wider = (await books.client.post(path, json={"first_session": str(WEEK[0])})).json()["run_id"]
    async with books.service.unit_of_work() as uow:
        run = await books.request(first)
        done = BatchCompleted(run=run, part=ONLY_PART, status=RunStatus.COMPLETED, stages=())
        await close_calculation(done, uow)
    third = (await books.client.post(path, json={})).json()["run_id"]

    assert asked["positions"] == 1
    assert first == second
    assert len({accepted["run_id"], first, wider, third}) == 4
    assert len(await books.announced(SymbolsOnboarding, UUID(first))) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"amount": "100000000000000000"}, "amount"), ({"on": "0001-01-01"}, "on"), ({"on": "9999-12-31"}, "on")],
)
async def test_flow_out_of_bounds_is_refused_naming_the_field(
    books: Books, changes: dict[str, Any], field: str
) -> None:
    portfolio_id = (await books.client.post("/portfolios", json=body())).json()["portfolio_id"]

    answer = await books.client.post(
        f"/portfolios/{portfolio_id}/flows", json={"on": str(WEEK[1]), "amount": "5.00"} | changes
    )

    assert answer.status_code == 422
    assert [error["field"].rpartition(".")[2] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "first_session", ["2025-03-15", "2025-03-14", "0001-01-01"], ids=["no session", "after as_of", "out of reach"]
)
async def test_calculation_from_unusable_session_is_refused_naming_it(books: Books, first_session: str) -> None:
    portfolio_id = (await books.client.post("/portfolios", json=body())).json()["portfolio_id"]

    answer = await books.client.post(
        f"/portfolios/{portfolio_id}/calculate", json={"as_of": "2025-03-13", "first_session": first_session}
    )

    assert answer.status_code == 422
    assert [error["field"].rpartition(".")[2] for error in answer.json()["errors"]] == ["first_session"]


async def test_name_is_stored_without_blanks_around_it(books: Books) -> None:
    name = new_name("book ")

    await books.client.post("/portfolios", json=body(name=f"  {name}\t"))

    assert name in await names(books)


async def test_gift_and_ten_decimals_are_stored_and_shown_as_they_were_sent(books: Books) -> None:
    symbol = new_name()
    terms = {"symbol": symbol, "kind": "LONG", "entry_date": str(WEEK[0])}
    lots = [
        {**terms, "quantity": "0.0091244913", "entry_price": "0.0000084511"},
        {**terms, "quantity": "12", "entry_price": "0"},
    ]
    accepted = (await books.client.post("/portfolios", json=body(positions=lots))).json()
    portfolio_id = accepted["portfolio_id"]

    shown = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    assert sorted((entry["quantity"], entry["entry_price"]) for entry in shown) == [
        ("0.0091244913", "0.0000084511"),
        ("12", "0"),
    ]
    await books.value(await books.request(accepted["run_id"]), {})
    unpriced = (await books.client.get(f"/portfolios/{portfolio_id}/values")).json()["items"]
    assert sorted((entry["mark"], entry["cost"]) for entry in unpriced) == [(0.0, "0.00"), (0.0000084511, "0.00")]

    again = (await books.client.post(f"/portfolios/{portfolio_id}/calculate", json={})).json()["run_id"]
    await books.value(await books.request(again), {symbol: {WEEK[-1]: 3.5}})
    priced = (await books.client.get(f"/portfolios/{portfolio_id}/values")).json()["items"]
    gains = {entry["quantity"]: (entry["market_value"], entry["unrealised_pnl"]) for entry in priced}
    assert gains[12.0] == ("42.00", "42.00")


async def test_of_very_many_errors_a_hundred_are_listed_and_the_others_counted(books: Books) -> None:
    answer = await books.client.post("/portfolios", json=body(csv=CSV + "AAPL,ten,100,2025-03-03\n" * 130))

    problem = answer.json()
    assert (answer.status_code, len(problem["errors"])) == (422, 100)
    assert "130 errors" in problem["detail"]
    assert "30 more" in problem["detail"]


@pytest.mark.parametrize(("symbol", "what"), [("^SPX", "an index"), ("EURUSD=X", "a currency pair"), ("$CASH", "cash")])
async def test_position_in_what_is_no_holding_is_told_what_it_is(books: Books, symbol: str, what: str) -> None:
    position = {"symbol": symbol, "kind": "LONG", "quantity": "1", "entry_date": str(WEEK[0]), "entry_price": "1"}

    answer = await books.client.post("/portfolios", json=body(positions=[position]))

    (error,) = answer.json()["errors"]
    assert error["field"].endswith("positions.0.symbol")
    assert f"{symbol!r} is {what}" in error["reason"]


async def test_dry_run_says_what_is_understood_and_stores_nothing(books: Books) -> None:
    asked = body(csv=CSV.replace(",", ";") + "AAPL;10;100,5;2025-03-11\nMSFT;-5;10;2025-03-03\n")

    tried = await books.client.post("/portfolios/dry-run", json=asked)

    understood = tried.raise_for_status().json()
    assert understood == {
        "opened_on": "2025-03-10",
        "positions": 2,
        "symbols": ["AAPL", "MSFT"],
        "separator": ";",
        "decimal_sign": ",",
        "gross": "1055.00",
        "gross_over_equity": {"value": 0.1055, "reason": None, "detail": None},
        "cash_left": "9045.00",
        "before_opening": 1,
        "first_entry": "2025-03-03",
        "oversold": [],
    }
    assert asked["name"] not in await names(books)
    stored = await books.client.post("/portfolios", json=asked)
    assert (stored.status_code, stored.json()["understood"]) == (201, understood)
    assert (await books.client.post("/portfolios/dry-run", json=asked)).status_code == 409


async def test_dry_run_of_what_would_be_refused_is_refused_alike(books: Books) -> None:
    asked = body(csv=CSV + "AAPL,ten,100,2025-03-03\n")

    tried, stored = [await books.client.post(path, json=asked) for path in ("/portfolios/dry-run", "/portfolios")]

    assert (tried.status_code, tried.json()) == (422, stored.json())


async def test_dry_run_of_more_positions_says_what_the_book_would_be_and_stores_nothing(books: Books) -> None:
    accepted = await books.open((new_name(), "10", WEEK[1], "100"))
    path = f"/portfolios/{accepted['portfolio_id']}/positions"
    file = f"Symbol;Quantity;Entry Price Per Share;Entry Date\n{new_name()};5;20,5;{WEEK[2]}\n"

    tried = (await books.client.post(f"{path}/dry-run", json={"csv": file})).raise_for_status().json()

    assert (tried["positions"], tried["separator"], tried["decimal_sign"]) == (2, ";", ",")
    assert (tried["gross"], tried["cash_left"]) == ("1102.50", "8897.50")
    assert len((await books.client.get(path)).json()["items"]) == 1
    assert (await books.client.post(f"{path}/dry-run", json={"csv": "symbol;quantity"})).status_code == 422
    unknown = await books.client.post(f"/portfolios/{uuid4()}/positions/dry-run", json={"csv": file})
    assert unknown.status_code == 404


async def test_book_of_more_symbols_than_one_event_names_is_refused_and_nothing_stored(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_calculation, "MAX_SYMBOLS", 3)
    rows = [f"{new_name()},1,1,2025-03-03\n" for _ in range(4)]
    before = await names(books)

    refused = await books.client.post("/portfolios", json=body(csv=CSV + "".join(rows)))

    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "positions", "reason": "a book must hold at most 3 symbols, was 4"}]
    assert await names(books) == before
    accepted = await books.client.post("/portfolios", json=body(csv=CSV + "".join(rows[:3])))
    assert accepted.status_code == 201


def test_one_event_names_the_largest_book() -> None:
    symbols = tuple(f"{place:020d}" for place in range(MAX_SYMBOLS))
    held = tuple(Holding(symbol=symbol, since=WEEK[0], until=WEEK[1], contract=False) for symbol in symbols)
    largest = SymbolsOnboarding(run=make_run(symbols=symbols), part=ONLY_PART, holdings=held)

    assert MAX_SYMBOLS == 50_000
    assert len(outbox_row(largest, source="portfolio").value) > 5_000_000
