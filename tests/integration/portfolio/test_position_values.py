"""Position values of many portfolios, in pages that stay small."""

from typing import Any

import pytest

from services.portfolio.web import position_values
from tests.integration.portfolio.conftest import WEEK, Books, new_name


async def test_pages_have_whole_snapshots_and_as_many_as_an_answer_holds(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols = [new_name() for _ in range(5)]
    closes = {symbol: dict.fromkeys(WEEK, 100.0) for symbol in symbols}
    ids = []
    for count in (2, 5, 1):
        positions = [(symbol, "1", WEEK[0], "100.00") for symbol in symbols[:count]]
        accepted = await books.open(*positions, opened_on=str(WEEK[-1]))
        await books.value(await books.request(accepted["run_id"]), closes)
        ids.append(accepted["portfolio_id"])
    query: dict[str, Any] = {"portfolio_id": ids, "first": str(WEEK[-1]), "last": str(WEEK[-1])}
    (whole,) = await _pages(books, query)
    assert len(whole) == 8

    # Of snapshots that lie one behind the other, three positions fit into an answer.
    monkeypatch.setattr(position_values, "MOST_VALUES", 3)
    pages = await _pages(books, query)

    assert [value for page in pages for value in page] == whole
    owners = [{value["portfolio_id"] for value in page} for page in pages]
    assert sum(map(len, owners)) == len(ids), "a snapshot is on one page"
    assert all(len(page) <= 3 or len(owner) == 1 for page, owner in zip(pages, owners, strict=True))
    assert sorted(len(page) for page in await _pages(books, {**query, "limit": 1})) == [1, 2, 5]


async def _pages(books: Books, query: dict[str, Any]) -> list[list[dict[str, Any]]]:
    pages, cursor = [], None
    while True:
        asked = query if cursor is None else {**query, "cursor": cursor}
        answer = (await books.client.get("/position-values", params=asked)).raise_for_status().json()
        pages.append(answer["items"])
        cursor = answer["next"]
        if cursor is None:
            return pages
