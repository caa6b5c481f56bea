"""What holds for every route, as the OpenAPI document says it, and the page that shows it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.ops.documents.openapi import DOCUMENT
from services.ops.documents.schemas import rendered
from services.ops.documents.unconnected import UNCONNECTED
from shared.auth import ACCESS
from shared.paths import API
from shared.principal import Role
from shared.problems import PROBLEM_TYPE
from tests.support.documents import current_application
from tests.support.source import ROOT

Json = dict[str, Any]
TOKEN = UNCONNECTED.operator_token.get_secret_value()


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return current_application()


@pytest.fixture(scope="module")
def client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport,
        base_url="http://all",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )


def test_document_in_the_repository_is_current(app: FastAPI) -> None:
    assert DOCUMENT.read_text() == rendered(app.openapi()), "run `make openapi`"


def _operations(app: FastAPI) -> Iterator[tuple[str, Json]]:
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def test_every_refusal_is_a_problem_and_none_is_of_a_route_that_anybody_may_call(app: FastAPI) -> None:
    for route, operation in _operations(app):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        role = ACCESS[route.replace(f" {API}/", " /")]
        assert all([*answer["content"]] == [PROBLEM_TYPE] for answer in refusals.values()), route
        assert ("401" in refusals, "403" in refusals) == (role > Role.ANYONE, role > Role.OWNER), route
        assert ("security" in operation) == (role > Role.ANYONE), route
        assert "422" in refusals, route


def test_every_parameter_is_described(app: FastAPI) -> None:
    for route, operation in _operations(app):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), (route, parameter["name"])


def test_every_list_is_a_page_with_a_cursor_and_a_link(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for route, operation in _operations(app):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        schema = content.get("schema", {})
        fields = schemas.get(schema.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        taken = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert not (route.startswith("GET") and schema.get("type") == "array"), route
        assert ({"items", "next"} <= set(fields)) == ({"limit", "cursor"} <= taken), route
        assert ("cursor" in taken) == ("Link" in operation["responses"].get("200", {}).get("headers", {})), route


def test_what_makes_something_says_where_it_is_and_can_be_repeated(app: FastAPI) -> None:
    making = [(route, operation) for route, operation in _operations(app) if "201" in operation["responses"]]
    assert len(making) >= 7
    for route, operation in making:
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, route
        assert {"Location"} == set(operation["responses"]["201"]["headers"]), route
        assert {"200", "409"} <= set(operation["responses"]), route


def test_days_and_amounts_have_their_bounds_and_patterns(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    taken = [parameter for _, each in _operations(app) for parameter in each.get("parameters", [])]
    days = [
        str(each["schema"]) for each in taken if each["name"] in {"as_of", "first", "last", "session", "start_date"}
    ]
    assert len(days) > 30
    assert all("'formatMinimum': '1990-01-02'" in day and "formatMaximum" in day for day in days)
    for body in ("FlowBody", "PositionBody", "ExitBody", "PortfolioBody"):
        texts = re.findall(r"'anyOf': \[\{'type': 'string', 'pattern': '(.*?)'", str(schemas[body]))
        assert texts, body


@pytest.mark.parametrize(
    "query",
    ["token=v", "access_token=v", "as_of=1672185600", "as_of=20221228", "as_of=1672185600.0", "asof=2022-12-28"],
)
async def test_parameter_that_would_be_taken_for_something_else_is_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    for path in ("/readiness", "/symbols/AAPL", f"/risk/portfolios/{'0' * 8}-0000-0000-0000-{'0' * 12}"):
        answer = await client.get(f"{API}{path}?{query}")
        name = query.partition("=")[0]
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [f"query.{name}"])


async def test_number_where_a_day_is_meant_is_refused_in_a_body_too(client: httpx.AsyncClient) -> None:
    # Midnight of 28 December 2022 in UTC, for who counts seconds.
    answer = await client.post(f"{API}/runs", json={"last_session": 1672185600})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.last_session")


async def test_token_in_a_query_lets_nobody_in(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/runs?token={TOKEN}", headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/portfolios", "GET, POST"),
        ("/portfolios/x/positions/y", "DELETE, PUT"),
        ("/portfolios/x/flows", "GET, POST"),
        ("/admin/batch/history/summary", "GET"),
        ("/risk/benchmarks/SP500", "GET, PUT"),
    ],
)
async def test_wrong_method_is_told_every_one_that_there_is(client: httpx.AsyncClient, path: str, allowed: str) -> None:
    answer = await client.patch(f"{API}{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_page_that_shows_the_document_needs_no_internet(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(wanted) == 3
    for address in wanted:
        assert address.startswith("/docs/assets/")
        assert (await client.get(address)).status_code == 200
    assert not re.search(r"https?://", page)


def test_every_request_of_the_page_is_of_a_route_with_these_parameters(app: FastAPI) -> None:
    page = (ROOT / "docs/api.md").read_text()
    paths = app.openapi()["paths"]
    asked = re.findall(
        r'^\$ curl (-X POST )?-H "Authorization: Bearer \$TOKEN" "\$URL(/[^"?]*)\??([^"]*)"$', page, re.M
    )
    assert len(asked) == page.count("$ curl ") >= 2
    for posts, path, query in asked:
        (template,) = [known for known in paths if re.fullmatch(re.sub(r"\{\w+\}", r"\\$[A-Z]+", known), path)]
        operation = paths[template]["post" if posts else "get"]
        taken = {parameter["name"] for parameter in operation["parameters"]} if query else set()
        assert {term.partition("=")[0] for term in query.split("&")} - {""} <= taken, path
