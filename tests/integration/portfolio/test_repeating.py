"""A request that is repeated with its key does nothing more."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.portfolio.conftest import Books, new_name
from tests.integration.portfolio.test_entering import body

POSITION = {"symbol": "AAPL", "kind": "LONG", "quantity": "1", "entry_date": "2025-03-11", "entry_price": "100"}


async def _opened(books: Books) -> tuple[str, str]:
    created = (await books.client.post("/portfolios", json=body(positions=[POSITION]))).json()
    path = f"/portfolios/{created['portfolio_id']}"
    (position,) = (await books.client.get(f"{path}/positions")).json()["items"]
    return path, position["position_id"]


async def _requests(books: Books) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every request that makes something, and the same with another body."""
    path, position_id = await _opened(books)
    new, exit_ = body(name=new_name()), {"on": "2025-03-12", "price": "101", "quantity": "0.25"}
    return [
        ("/portfolios", new, new | {"name": new_name()}),
        (f"{path}/positions", {"positions": [POSITION]}, {"positions": [POSITION | {"quantity": "2"}]}),
        (f"{path}/flows", {"on": "2025-03-12", "amount": "5.00"}, {"on": "2025-03-12", "amount": "6.00"}),
        (f"{path}/positions/{position_id}/exits", exit_, exit_ | {"price": "102"}),
    ]


async def test_request_is_done_once_and_answered_as_at_first(books: Books) -> None:
    for path, asked, other in await _requests(books):
        key = {"Idempotency-Key": f"{path} {uuid4()}"}
        first = await books.client.post(path, json=asked, headers=key)
        again = await books.client.post(path, json=asked, headers=key)
        refused = await books.client.post(path, json=other, headers=key)

        assert (first.status_code, again.status_code, refused.status_code) == (201, 200, 409), path
        assert again.json() == first.json()
        assert again.headers["location"] == first.headers["location"]
        assert first.headers["location"] == f"/api/v1/portfolios/{first.json()['portfolio_id']}"
        assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_what_was_repeated_is_in_the_book_once(books: Books) -> None:
    path, _ = await _opened(books)
    flow, key = {"on": "2025-03-12", "amount": "5.00"}, {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        await books.client.post(f"{path}/flows", json=flow, headers=key)
    await books.client.post(f"{path}/flows", json=flow)

    assert len((await books.client.get(f"{path}/flows")).json()["items"]) == 2


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_key_that_is_none_is_refused(books: Books, key: str) -> None:
    answer = await books.client.post("/portfolios", json=body(), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "header.Idempotency-Key")
