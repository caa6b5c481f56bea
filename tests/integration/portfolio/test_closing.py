"""A portfolio that is closed: no further valued, everybody told, its history there, and open again when asked for."""

from datetime import date
from uuid import UUID

from shared.contracts.portfolio import PortfolioDue, SymbolsOnboarding
from tests.integration.portfolio.conftest import WEEK, Books, new_name, run_for

MONDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK[0], *WEEK[2:]
CLOSES = {day: 100.0 + index for index, day in enumerate(WEEK)}
THEN = {"as_of": str(FRIDAY)}


async def _opened(books: Books) -> tuple[str, str]:
    """Enter a book, valued up to Wednesday."""
    symbol = new_name()
    accepted = await books.open((symbol, "10", MONDAY, "99.00"), as_of=str(WEDNESDAY))
    await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})
    return accepted["portfolio_id"], symbol


async def _close(books: Books, portfolio_id: str, on: date | None) -> UUID:
    body = {} if on is None else {"on": str(on)}
    answer = await books.client.post(f"/portfolios/{portfolio_id}/close", json=body, params=THEN)
    return UUID(answer.raise_for_status().json()["run_id"])


async def test_closed_portfolio_is_valued_to_its_last_session_and_no_further(books: Books) -> None:
    portfolio_id, _ = await _opened(books)

    run_id = await _close(books, portfolio_id, THURSDAY)
    (announced,) = await books.announced(SymbolsOnboarding, run_id)
    await books.value(announced.run, {})
    night = run_for(portfolio_id, first=FRIDAY, last=FRIDAY)
    nothing = await books.prepare(night, {})

    assert (announced.run.first_session, announced.run.last_session) == (THURSDAY, THURSDAY)
    assert (announced.closed_on, [each.until for each in announced.holdings]) == (THURSDAY, [THURSDAY])
    assert nothing == []
    snapshots = await books.snapshots(portfolio_id)
    assert [entry["as_of"] for entry in snapshots] == [str(day) for day in WEEK[:4]]
    shown = (await books.client.get(f"/portfolios/{portfolio_id}")).json()
    assert shown["closed_on"] == str(THURSDAY)
    (edit,) = (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    assert (edit["kind"], edit["before"], edit["after"]) == (
        "portfolio",
        {"closed_on": None},
        {"closed_on": str(THURSDAY)},
    )


async def test_reopened_portfolio_is_made_up_for(books: Books) -> None:
    portfolio_id, _ = await _opened(books)
    await books.value(
        (await books.announced(SymbolsOnboarding, await _close(books, portfolio_id, WEDNESDAY)))[0].run, {}
    )

    answer = await books.client.post(f"/portfolios/{portfolio_id}/reopen", params=THEN)
    (announced,) = await books.announced(SymbolsOnboarding, UUID(answer.raise_for_status().json()["run_id"]))
    await books.value(announced.run, {})

    assert (announced.closed_on, [each.until for each in announced.holdings]) == (None, [None])
    assert [entry["as_of"] for entry in await books.snapshots(portfolio_id)] == [str(day) for day in WEEK]


async def test_late_price_revises_a_closed_portfolio_to_its_last_session_only(books: Books) -> None:
    portfolio_id, symbol = await _opened(books)
    await books.value(
        (await books.announced(SymbolsOnboarding, await _close(books, portfolio_id, WEDNESDAY)))[0].run, {}
    )

    night = run_for(portfolio_id, first=FRIDAY, last=FRIDAY)
    due = await books.prepare(night, {symbol: {WEEK[1]: 150.0}})

    assert [(each.first_session, each.last_session) for each in due] == [(WEEK[1], WEDNESDAY)]
    assert isinstance(due[0], PortfolioDue)


async def test_closing_before_the_opening_and_paying_in_after_it_are_refused(books: Books) -> None:
    portfolio_id, _ = await _opened(books)
    path = f"/portfolios/{portfolio_id}"

    early = await books.client.post(f"{path}/close", json={"on": "2025-03-07"}, params=THEN)
    await _close(books, portfolio_id, WEDNESDAY)
    late = await books.client.post(f"{path}/flows", json={"on": str(THURSDAY), "amount": "5.00"}, params=THEN)

    assert [(answer.status_code, answer.json()["errors"][0]) for answer in (early, late)] == [
        (422, {"field": "on", "reason": "must lie between 2025-03-10 and 2025-03-14, was 2025-03-07"}),
        (422, {"field": "on", "reason": "must lie between 2025-03-10 and 2025-03-12, was 2025-03-13"}),
    ]


async def test_portfolio_that_is_not_there_is_not_closed(books: Books) -> None:
    for what in ("close", "reopen"):
        answer = await books.client.post(f"/portfolios/{UUID(int=9)}/{what}", json={}, params=THEN)
        assert answer.status_code == 404


async def test_trade_after_the_last_session_of_a_closed_portfolio_is_refused(books: Books) -> None:
    portfolio_id, symbol = await _opened(books)
    await _close(books, portfolio_id, WEDNESDAY)
    path = f"/portfolios/{portfolio_id}/positions"
    (held,) = (await books.client.get(path)).json()["items"]
    own = f"{path}/{held.pop('position_id')}"
    trade = {"symbol": symbol, "kind": "LONG", "quantity": "1", "entry_price": "99.00"}

    late = [
        await books.client.post(path, json={"positions": [{**trade, "entry_date": str(THURSDAY)}]}, params=THEN),
        await books.client.put(own, json={**held, "entry_date": str(FRIDAY)}, params=THEN),
        await books.client.post(f"{own}/exits", json={"on": str(THURSDAY), "price": "99.00"}, params=THEN),
    ]
    in_time = await books.client.post(path, json={"positions": [{**trade, "entry_date": str(WEDNESDAY)}]}, params=THEN)

    of_closed = "must be at most 2025-03-12, the last session of the closed portfolio, was "
    assert [(answer.status_code, answer.json()["errors"][0]) for answer in late] == [
        (422, {"field": "entry_date", "reason": f"{of_closed}2025-03-13"}),
        (422, {"field": "entry_date", "reason": f"{of_closed}2025-03-14"}),
        (422, {"field": "on", "reason": "must be at most 2025-03-12, was 2025-03-13"}),
    ]
    assert in_time.is_success
