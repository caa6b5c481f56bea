"""What a refused request is answered with, word by word: clients read the status, the field and the reason."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from tests.integration.portfolio.conftest import WEEK, Books, new_name

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK
NOBODY = UUID(int=7)
TERMS = {"symbol": "AAPL", "kind": "LONG", "quantity": "1", "entry_date": str(TUESDAY), "entry_price": "1"}
FLOW = {"on": str(WEDNESDAY), "amount": "1.00"}
EXIT = {"on": str(WEDNESDAY), "price": "1"}


@dataclass(frozen=True)
class Case:
    """A request, and the problem it is answered with; ``{id}`` and ``{position}`` are those of a book."""

    method: str
    path: str
    body: dict[str, Any] | None
    status: int
    detail: str
    errors: tuple[dict[str, str], ...] = ()


def _of_field(field: str, reason: str) -> dict[str, Any]:
    return {"status": 422, "detail": f"{field} {reason}", "errors": ({"field": field, "reason": reason},)}


UNKNOWN_PORTFOLIO: dict[str, Any] = {"status": 404, "detail": f"no portfolio {NOBODY}"}
UNKNOWN_POSITION: dict[str, Any] = {"status": 404, "detail": f"portfolio {{id}} has no position {NOBODY}"}
UNKNOWN_FLOW: dict[str, Any] = {"status": 404, "detail": f"portfolio {{id}} has no flow {NOBODY}"}
OPENED = {"name": "opened", "opening_equity": "1.00", "as_of": str(FRIDAY)}
CASES = {
    "opened later than calculated": Case(
        "POST",
        "/portfolios",
        OPENED | {"opened_on": "2025-03-17"},
        **_of_field("opened_on", "must be at most 2025-03-14, was 2025-03-17"),
    ),
    "positions of nobody": Case("POST", f"/portfolios/{NOBODY}/positions", {}, **UNKNOWN_PORTFOLIO),
    "flow of nobody": Case("POST", f"/portfolios/{NOBODY}/flows", FLOW, **UNKNOWN_PORTFOLIO),
    "calculation of nobody": Case("POST", f"/portfolios/{NOBODY}/calculate", {}, **UNKNOWN_PORTFOLIO),
    "correction of nobody": Case("PUT", f"/portfolios/{NOBODY}/positions/{NOBODY}", TERMS, **UNKNOWN_PORTFOLIO),
    "flows listed of nobody": Case("GET", f"/portfolios/{NOBODY}/flows", None, **UNKNOWN_PORTFOLIO),
    "flow before the opening": Case(
        "POST",
        "/portfolios/{id}/flows",
        FLOW | {"on": "2025-03-09"},
        **_of_field("on", "must lie between 2025-03-10 and 2025-03-14, was 2025-03-09"),
    ),
    "flow later than calculated": Case(
        "POST",
        f"/portfolios/{{id}}/flows?as_of={TUESDAY}",
        FLOW,
        **_of_field("on", "must lie between 2025-03-10 and 2025-03-11, was 2025-03-12"),
    ),
    "flow of nothing": Case(
        "POST", "/portfolios/{id}/flows", FLOW | {"amount": "0"}, **_of_field("amount", "must not be zero")
    ),
    "calculation that ends before it begins": Case(
        "POST",
        f"/portfolios/{NOBODY}/calculate",
        {"as_of": str(MONDAY), "first_session": str(TUESDAY)},
        **_of_field("first_session", "must not be after 2025-03-10, the session to calculate, was 2025-03-11"),
    ),
    "calculation on a weekend": Case(
        "POST",
        "/portfolios/{id}/calculate",
        {"as_of": "2025-03-08"},
        **_of_field("as_of", "must be a closed session, at most 2025-03-14, was 2025-03-08"),
    ),
    "position corrected": Case("PUT", f"/portfolios/{{id}}/positions/{NOBODY}", TERMS, **UNKNOWN_POSITION),
    "position removed": Case("DELETE", f"/portfolios/{{id}}/positions/{NOBODY}", None, **UNKNOWN_POSITION),
    "position exited": Case("POST", f"/portfolios/{{id}}/positions/{NOBODY}/exits", EXIT, **UNKNOWN_POSITION),
    "flow corrected": Case("PUT", f"/portfolios/{{id}}/flows/{NOBODY}", FLOW, **UNKNOWN_FLOW),
    "flow removed": Case("DELETE", f"/portfolios/{{id}}/flows/{NOBODY}", None, **UNKNOWN_FLOW),
    "exit later than calculated": Case(
        "POST",
        f"/portfolios/{{id}}/positions/{{position}}/exits?as_of={TUESDAY}",
        EXIT,
        **_of_field("on", "must be at most 2025-03-11, was 2025-03-12"),
    ),
    "exit before the entry": Case(
        "POST",
        "/portfolios/{id}/positions/{position}/exits",
        EXIT | {"on": str(MONDAY)},
        422,
        f"exits must follow the entry in the order of their dates, was {[TUESDAY, MONDAY]}",
        (
            {
                "field": "on",
                "reason": f"exits must follow the entry in the order of their dates, was {[TUESDAY, MONDAY]}",
            },
        ),
    ),
    "terms that contradict themselves": Case(
        "PUT",
        "/portfolios/{id}/positions/{position}",
        TERMS | {"quantity": "-1"},
        **_of_field("position", "quantity of a LONG position must have the sign of its type, was -1"),
    ),
}


@pytest.fixture(scope="module")
async def book(books: Books) -> dict[str, str]:
    """A book of one position, entered on Tuesday."""
    accepted = await books.open((new_name(), "10", TUESDAY, "101"))
    portfolio_id = accepted["portfolio_id"]
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    return {"id": portfolio_id, "position": position["position_id"]}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_refused_request_is_answered_with_the_field_and_the_reason(
    books: Books, book: dict[str, str], case: Case
) -> None:
    answer = await books.client.request(case.method, case.path.format(**book), json=case.body)

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == case.status
    found = answer.json()
    assert (found["status"], found["detail"]) == (case.status, case.detail.format(**book))
    assert tuple(found.get("errors", ())) == case.errors


async def test_name_that_is_taken_is_answered_with_a_conflict(books: Books) -> None:
    body = OPENED | {"name": new_name("book ")}
    await books.client.post("/portfolios", json=body)

    answer = await books.client.post("/portfolios", json=body)

    assert (answer.status_code, answer.json()["detail"]) == (409, f"a portfolio named {body['name']!r} exists")
    assert answer.json()["errors"] == [{"field": "name", "reason": "taken"}]
