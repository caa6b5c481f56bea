"""Revisions that others have superseded are forgotten where somebody says so, and nobody is told otherwise."""

from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx

from services.ops.tables import TABLES
from shared.db.engine import plain_url
from shared.db.retention import Retention
from tests.integration.portfolio.conftest import WEEK, Books, new_name

MONDAY, TUESDAY, *_, FRIDAY = WEEK
DAYS: Final = 3
RESULTS: Final = TABLES["portfolio"].results
KEPT: Final = Retention(superseded_days=DAYS, results=RESULTS)


async def forget(books: Books, retention: Retention, *, since: datetime) -> bool:
    """Forget what another revision has taken the place of before an instant, as the relay does once a day."""
    url = books.service.engine.url.render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain_url(url), server_settings={"search_path": "portfolio"})
    try:
        return await retention.forget(connection, since + timedelta(days=DAYS))
    finally:
        await connection.close()


async def revised(books: Books) -> str:
    """Return a portfolio of which the sessions from Tuesday on have two revisions."""
    symbol = new_name()
    accepted = await books.open((symbol, "10", TUESDAY, "101"))
    portfolio_id: str = accepted["portfolio_id"]
    for last in (104.0, 110.0):
        closes = {symbol: {day: 100.0 + place for place, day in enumerate(WEEK)} | {FRIDAY: last}}
        await books.value(await books.request(accepted["run_id"]), closes)
        flow = {"on": str(TUESDAY), "amount": "1000.00"}
        accepted = (await books.client.post(f"/portfolios/{portfolio_id}/flows", json=flow)).raise_for_status().json()
    return portfolio_id


async def asked(books: Books, portfolio_id: str, path: str, **parameters: Any) -> httpx.Response:
    """Return what is answered about a portfolio."""
    return await books.client.get(f"/portfolios/{portfolio_id}/{path}", params=parameters)


async def test_superseded_revisions_are_forgotten_and_what_is_newest_stays_as_it_is(books: Books) -> None:
    portfolio_id = await revised(books)
    newest = await books.snapshots(portfolio_id)
    values = (await asked(books, portfolio_id, "values")).json()
    rows = [await books.count(table, portfolio_id) for table in ("snapshots", "book_values")]
    assert {each["revision"] for each in newest} == {1, 2}
    known = max(datetime.fromisoformat(each["known_at"]) for each in newest)
    superseded = sum(each["revision"] == 2 for each in newest)

    assert not await forget(books, KEPT, since=known + timedelta(milliseconds=1))
    assert await forget(books, KEPT, since=known + timedelta(milliseconds=1))

    assert await books.snapshots(portfolio_id) == newest
    assert (await asked(books, portfolio_id, "values")).json() == values
    left = [await books.count(table, portfolio_id) for table in ("snapshots", "book_values")]
    assert left == [count - superseded for count in rows]


async def test_what_was_known_before_is_refused_with_a_reason_and_what_was_known_since_is_told(books: Books) -> None:
    portfolio_id = await revised(books)
    newest = await books.snapshots(portfolio_id)
    known = max(datetime.fromisoformat(each["known_at"]) for each in newest)
    since = known + timedelta(milliseconds=1)
    await forget(books, KEPT, since=since)

    told = await asked(books, portfolio_id, "snapshots", known_at=since.isoformat())
    refused = await asked(books, portfolio_id, "snapshots", known_at=(since - timedelta(days=1)).isoformat())
    compared = await asked(books, portfolio_id, "changes", revision=1)

    assert told.json()["items"] == newest
    assert refused.status_code == 410
    assert refused.json()["detail"].startswith("what was known before ")
    assert (compared.status_code, compared.json()["detail"]) == (
        410,
        f"revision 1 of {FRIDAY} of portfolio {portfolio_id} is kept no more",
    )


async def test_revision_is_kept_until_it_has_been_superseded_for_so_long(books: Books) -> None:
    portfolio_id = await revised(books)
    newest = await books.snapshots(portfolio_id)
    rows = await books.count("book_values", portfolio_id)
    first = min(datetime.fromisoformat(each["known_at"]) for each in newest if each["revision"] == 2)

    await forget(books, KEPT, since=first)

    assert await books.count("book_values", portfolio_id) == rows


async def test_nothing_is_forgotten_where_nobody_says_so(books: Books) -> None:
    portfolio_id = await revised(books)
    rows = await books.count("book_values", portfolio_id)
    known = max(datetime.fromisoformat(each["known_at"]) for each in await books.snapshots(portfolio_id))

    assert await forget(books, Retention(results=RESULTS), since=known + timedelta(days=20))

    assert await books.count("book_values", portfolio_id) == rows
    assert (await asked(books, portfolio_id, "changes", revision=1)).status_code == 200
