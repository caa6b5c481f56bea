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


async def test_flow_that_is_sent_again_without_a_key_is_in_the_book_once(books: Books) -> None:
    path, _ = await _opened(books)
    flow = {"on": "2025-03-12", "amount": "5.00"}
    sent = [flow, flow | {"amount": "5"}, flow | {"reference": "wire 7"}, flow | {"reference": " wire 7 "}]

    answers = [await books.client.post(f"{path}/flows", json=body) for body in sent]

    assert [answer.status_code for answer in answers] == [201, 200, 201, 200]
    assert [answer.json()["is_new"] for answer in answers] == [True, False, True, False]
    entered = (await books.client.get(f"{path}/flows")).json()["items"]
    assert {(entry["amount"], entry["reference"]) for entry in entered} == {("5.00", None), ("5.00", "wire 7")}


async def test_reference_of_one_flow_is_refused_to_another(books: Books) -> None:
    path, _ = await _opened(books)
    wire = {"on": "2025-03-12", "amount": "5.00", "reference": "wire 7"}
    await books.client.post(f"{path}/flows", json=wire)
    other = await books.client.post(f"{path}/flows", json=wire | {"reference": "wire 8"})
    assert other.status_code == 201

    dearer = await books.client.post(f"{path}/flows", json=wire | {"amount": "6.00"})
    entered = (await books.client.get(f"{path}/flows")).json()["items"]
    (eighth,) = (entry["flow_id"] for entry in entered if entry["reference"] == "wire 8")
    renamed = await books.client.put(f"{path}/flows/{eighth}", json=wire)
    kept = await books.client.put(f"{path}/flows/{eighth}", json=wire | {"reference": "wire 8", "amount": "6.00"})

    assert (dearer.status_code, renamed.status_code, kept.status_code) == (409, 409, 200)
    assert dearer.json()["detail"] == "'wire 7' stands for the flow of 5.00 on 2025-03-12"
    assert dearer.json()["errors"] == [{"field": "reference", "reason": "taken"}]


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_key_that_is_none_is_refused(books: Books, key: str) -> None:
    answer = await books.client.post("/portfolios", json=body(), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "header.Idempotency-Key")
