"""Every answer that is no result is problem+json, whatever went wrong."""

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.problems import Problem, answer_with_problems, install_problem_handlers

PROBLEM = "application/problem+json"


class NameTaken(Exception):
    """An error of a use case, which knows no HTTP."""


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app)
    answer_with_problems(app, {NameTaken: lambda error: Problem(409, f"{error} exists")})

    @app.get("/things/{name}")
    async def get_thing(name: str, after: str = "") -> str:
        if name == "broken":
            raise ValueError("secret detail")
        if name == "taken":
            raise NameTaken(name)
        return after

    @app.post("/things")
    async def make_thing(thing: dict[str, str]) -> dict[str, str]:
        return thing

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_unexpected_error_is_a_problem_without_internals(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/broken")

    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert "secret" not in answer.text


async def test_body_that_is_no_json_is_told_with_the_place(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", content='{"a": b}', headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body", "reason": "is no JSON at character 6: Expecting value"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionRefusedError("postgres is away"), 503),
        (PoolTimeout("no connection came free"), 503),
        (DBAPIError("SELECT 1", {}, asyncpg.CannotConnectNowError("starting up")), 503),
        (DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True), 503),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle"), 503),
        (ProgrammingError("SELECT x", {}, asyncpg.UndefinedColumnError("no x")), 500),
        (asyncpg.UndefinedColumnError("no x"), 500),
    ],
    ids=repr,
)
async def test_database_that_is_away_is_a_problem_that_passes_and_a_bug_of_ours_is_none(
    error: Exception, status: int
) -> None:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/things")
    async def things() -> None:
        raise error

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/things")

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)


async def test_error_of_a_use_case_is_the_problem_it_is_mapped_to(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/taken")

    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)
    assert answer.json()["detail"] == "taken exists"


async def test_refusal_of_a_field_names_it_with_its_reason() -> None:
    problem = Problem.of_field("on", "must be today")
    assert (problem.status, str(problem)) == (422, "on must be today")
    assert problem.errors == [{"field": "on", "reason": "must be today"}]


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/things/x?after=%00", "query.after"),
        ("/things/x?limit=1&after=a%00b", "query.after"),
        ("/things/a%00", "path"),
    ],
)
async def test_nul_in_an_address_is_refused_naming_the_field(
    client: httpx.AsyncClient, address: str, field: str
) -> None:
    answer = await client.get(address)

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_address_without_nul_passes(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things/x?after=b")).json() == "b"
