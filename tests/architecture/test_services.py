"""Every service as it is put together: how it consumes, who may call its routes, and what its refusals are."""

import importlib
from collections.abc import Container, Iterator
from itertools import product
from operator import attrgetter
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from faststream import AckPolicy
from pydantic import SecretStr

from services.ops.composition import build_services
from shared import actions
from shared.auth import ACCESS
from shared.contracts.services import SERVICES
from shared.paths import API
from shared.principal import Principal, Role
from shared.service import Service, build_app
from shared.settings import CommonSettings
from tests.support.documents import current_application
from tests.support.people import signed_in
from tests.support.source import ROOT

CONNECTION_OPTIONS = attrgetter("_connection_args")
OPERATOR_TOKEN = "o"
FOR_MACHINES = {"/health/live", "/health/ready", "/metrics"}
# Ranges of days on which anything may end; what else routes need.
OVER_DAYS: dict[str, dict[str, str]] = {
    f"{API}/fundamentals/{{symbol}}": {"statement": "income"},
    f"{API}/rates/{{series}}": {},
    f"{API}/open-interest/{{symbol}}": {},
}
ALSO_NEEDED = {**OVER_DAYS, f"{API}/sources": {"symbol": "AAPL"}}
UNUSABLE_INSTANTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2022-12-28T21:00:00")
COMMON = CommonSettings(
    database_url=SecretStr("postgresql://nobody@localhost/nothing"),
    bootstrap_servers="localhost:9092",
    viewer_token=SecretStr("v"),
    operator_token=SecretStr(OPERATOR_TOKEN),
)


@pytest.fixture(scope="module")
def services() -> list[Service]:
    return build_services(SERVICES, COMMON)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """All of them on one port, where people sign in."""
    return current_application()


@pytest.fixture(scope="module")
def without_sessions(services: list[Service]) -> FastAPI:
    """All of them where nobody signs in."""
    return build_app(services, COMMON, title="all")


def _routes(app: Any) -> Iterator[str]:
    schema = app.openapi()
    for path, operations in schema["paths"].items():
        yield from (f"{method.upper()} {path}" for method in operations)


def _client(app: FastAPI) -> httpx.AsyncClient:
    headers = signed_in(Principal("root", Role.ADMIN))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://all", headers=headers)


def _group(subscriber: object) -> str:
    group = getattr(subscriber, "group_id", None)
    assert isinstance(group, str)
    return group


def test_every_subscriber_keeps_what_it_cannot_process_and_has_a_group(services: list[Service]) -> None:
    """Prevents lost messages: FastStream's default acknowledges before the handler runs."""
    for service in services:
        assert service.broker.subscribers
        for subscriber in service.broker.subscribers:
            assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
            assert _group(subscriber).startswith(f"{service.name}.")
            assert CONNECTION_OPTIONS(subscriber)["auto_offset_reset"] == "earliest"


def test_every_consumer_has_a_group_of_its_own(services: list[Service]) -> None:
    """Prevents two handlers of one group from taking each other's messages."""
    groups = [_group(subscriber) for service in services for subscriber in service.broker.subscribers]
    assert len(groups) == len(set(groups))


def test_every_route_is_in_the_access_table_and_every_entry_is_a_route(app: FastAPI) -> None:
    """Prevents a route that anybody may call, or nobody."""
    assert {route.replace(f" {API}/", " /") for route in _routes(app)} == set(ACCESS)


def test_every_route_is_below_the_version_but_what_machines_look_for(app: FastAPI) -> None:
    """Prevents a route that the next version of the API would break for who calls it now."""
    paths = {route.partition(" ")[2] for route in _routes(app)}
    assert {path for path in paths if not path.startswith(f"{API}/")} == FOR_MACHINES


def test_no_route_is_hidden_from_the_table(services: list[Service]) -> None:
    """Prevents a route that the documents, and so the test above, don't show."""
    for service in services:
        for route in service.router.routes:
            assert isinstance(route, APIRoute)
            assert route.include_in_schema


async def test_instant_outside_the_calendar_or_without_an_offset_is_refused_everywhere(app: FastAPI) -> None:
    """Prevents an instant that a database column doesn't take, and one that is read in whatever zone a machine has."""
    values = {"portfolio_id": UUID(int=0), "symbol": "AAPL", "measure": "equity"}
    asked = [
        (path.format(**values), parameter["name"])
        for path, operations in app.openapi()["paths"].items()
        for parameter in operations.get("get", {}).get("parameters", [])
        if "date-time" in str(parameter["schema"])
    ]
    assert len(asked) >= 18

    async with _client(app) as client:
        for (path, name), instant in product(asked, UNUSABLE_INSTANTS):
            answer = await client.get(path, params={name: instant})
            refused = {error["field"] for error in answer.json()["errors"]}
            assert (answer.status_code, f"query.{name}" in refused) == (422, True), (path, instant)


@pytest.mark.parametrize(
    ("first", "last", "but"),
    [("2022-12-28", "2022-12-27", ()), ("2022-12-24", "2022-12-25", OVER_DAYS)],
    ids=["reversed", "a weekend"],
)
async def test_range_that_is_reversed_or_holds_no_session_is_refused_everywhere(
    app: FastAPI, first: str, last: str, but: Container[str]
) -> None:
    """Prevents an empty answer that looks as if there were no results."""
    asked = [
        path
        for path, operations in app.openapi()["paths"].items()
        if path not in but
        and {"first", "last"} <= {parameter["name"] for parameter in operations.get("get", {}).get("parameters", [])}
    ]
    assert len(asked) >= 9

    async with _client(app) as client:
        for path in asked:
            params = {"first": first, "last": last, **ALSO_NEEDED.get(path, {})}
            answer = await client.get(
                path.format(portfolio_id=UUID(int=0), symbol="AAPL", series="DGS10"), params=params
            )
            assert (answer.status_code, path) == (422, path)
            assert {error["field"].removeprefix("query.") for error in answer.json()["errors"]} <= {"first", "last"}


def test_no_two_services_answer_the_same_route(services: list[Service]) -> None:
    """Prevents one service from hiding another's route when all run on one port."""
    routers = [
        router
        for service in services
        for router in (service.router, actions.build_router(service.unit_of_work, service.name, COMMON.statements))
    ]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    own = [f"{method} {route.path}" for route in routes for method in route.methods or ()]
    assert len(own) >= len(routes) > len(services)
    assert len(own) == len(set(own))


async def test_metrics_are_there_without_the_database_and_say_that_it_is_not(
    services: list[Service], without_sessions: FastAPI
) -> None:
    """Prevents a scrape that fails when it is needed most."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(without_sessions), base_url="http://all") as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    for service in services:
        assert f'sigmasight_database_up{{service="{service.name}"}} 0.0\n' in answer.text
    assert "sigmasight_outbox_pending" not in answer.text
    assert 'sigmasight_runs_total{kind="nightly",service="scheduler",status="failed"} 0.0\n' in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_metrics_are_for_viewers_where_a_proxy_passes_the_request_on(
    without_sessions: FastAPI, header: str
) -> None:
    """Prevents a platform without the gateway from showing everybody how much of what there is."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(without_sessions), base_url="http://all") as client:
        passed_on = {header: "198.51.100.7"}
        refused = await client.get("/metrics", headers=passed_on)
        token = COMMON.viewer_token.get_secret_value()
        shown = await client.get("/metrics", headers={**passed_on, "Authorization": f"Bearer {token}"})

    assert (refused.status_code, shown.status_code) == (401, 200)


async def test_who_asks_for_readiness_is_not_told_where_the_database_is(
    services: list[Service], without_sessions: FastAPI
) -> None:
    """Prevents anybody from reading addresses, users and statements in the errors of a driver."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(without_sessions), base_url="http://all") as client:
        answer = await client.get("/health/ready")

    said = "; ".join(f"{service.name} has no database" for service in services)
    assert (answer.status_code, answer.json()["detail"]) == (503, said)


WITH_USE_CASES = [name for name in SERVICES if (ROOT / "services" / name / "commands").is_dir()]


@pytest.mark.parametrize("name", WITH_USE_CASES)
def test_every_error_of_a_use_case_has_its_problem(services: list[Service], name: str) -> None:
    """Prevents a refusal that the caller gets to see as a failure of the server."""
    (service,) = [service for service in services if service.name == name]
    errors = importlib.import_module(f"services.{name}.commands.errors")
    own = [entry for entry in vars(errors).values() if isinstance(entry, type) and entry.__module__ == errors.__name__]
    assert own
    assert set(service.problems) == {entry for entry in own if not entry.__subclasses__()}
    assert [entry.__name__ for entry in own if entry.__name__ not in str(errors.__doc__)] == []
