"""Who gets in: by a token or a session, with the token of a session where something is changed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared import auth
from shared.auth import Authenticator, Identified, person_of
from shared.paths import API
from shared.principal import CALLER, Principal, Role
from shared.problems import install_problem_handlers
from shared.request_bodies import RequestBodies
from shared.sessions import COOKIE, HOST_COOKIE, Sessions

# Cookies are made when this module is read, and used when its tests are run.
SESSIONS = Sessions(SecretStr("k" * 32), lasting=timedelta(days=1), believed_for=timedelta(days=1))
ROUTES = {
    "GET /anyone": Role.ANYONE,
    "GET /owner": Role.OWNER,
    "GET /viewer": Role.VIEWER,
    "GET /operator": Role.OPERATOR,
    "POST /operator": Role.OPERATOR,
    "GET /admin": Role.ADMIN,
}


def _cookie(role: Role) -> str:
    return SESSIONS.issue(Principal("ada", role), at=datetime.now(UTC))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    monkeypatch.setattr(auth, "ACCESS", ROUTES)
    authenticate = Authenticator(
        viewer_token=SecretStr("viewer"), operator_token=SecretStr("operator"), sessions=SESSIONS
    )
    app = FastAPI()
    app.add_middleware(RequestBodies)
    app.add_middleware(Identified, identify=authenticate.identify)
    install_problem_handlers(app)
    for route in [*ROUTES, "GET /unlisted"]:
        method, path = route.split(" ")

        async def answer() -> dict[str, str | None]:
            caller = CALLER.get()
            return {"caller": None if caller is None else caller.name}

        app.add_api_route(path, answer, methods=[method], dependencies=[Depends(authenticate)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


async def _statuses(client: httpx.AsyncClient, headers: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for route in ROUTES:
        method, path = route.split(" ")
        found[route] = (await client.request(method, path, headers=headers)).status_code
    return found


@pytest.mark.parametrize(
    ("headers", "role"),
    [
        ({"Authorization": "Bearer viewer"}, Role.VIEWER),
        ({"Authorization": "bearer operator"}, Role.OPERATOR),
        *(({"Cookie": f"{COOKIE}={_cookie(role)}"}, role) for role in Role if role is not Role.ANYONE),
    ],
    ids=["viewer-token", "operator-token", "owner", "viewer", "operator", "admin"],
)
async def test_role_reads_what_needs_it_or_less(client: httpx.AsyncClient, headers: dict[str, str], role: Role) -> None:
    found = await _statuses(client, headers)
    reading = {route: needed for route, needed in ROUTES.items() if route.startswith("GET")}
    assert {route: found[route] for route in reading} == {
        route: 200 if needed <= role else 403 for route, needed in reading.items()
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer another"},
        {"Authorization": "Basic operator"},
        {"Authorization": f"Bearer {_cookie(Role.ADMIN)}"},
        {"Cookie": f"{COOKIE}=operator"},
        # Who sends a token means it.
        {"Authorization": "Bearer another", "Cookie": f"{COOKIE}={_cookie(Role.ADMIN)}"},
    ],
)
async def test_nobody_gets_in(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    found = await _statuses(client, headers)
    assert found == {route: 200 if needed is Role.ANYONE else 401 for route, needed in ROUTES.items()}


async def test_session_changes_nothing_without_its_own_token(client: httpx.AsyncClient) -> None:
    cookie, other = _cookie(Role.OPERATOR), SESSIONS.read(_cookie(Role.OPERATOR))
    own = SESSIONS.read(cookie)
    for said, status in ((None, 403), ("", 403), (other.csrf, 403), (own.csrf, 200)):
        headers = {"Cookie": f"{COOKIE}={cookie}"}
        if said is not None:
            headers["X-CSRF-Token"] = said
        assert (await client.post("/operator", headers=headers)).status_code == status, said
    # No browser sends a bearer token by itself.
    assert (await client.post("/operator", headers={"Authorization": "Bearer operator"})).status_code == 200


async def test_caller_is_known_while_the_request_is_served_and_no_longer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/owner", headers={"Cookie": f"{COOKIE}={_cookie(Role.OWNER)}"})
    assert (answer.json(), CALLER.get()) == ({"caller": "ada"}, None)


async def test_session_that_is_kept_to_https_counts_before_one_that_is_not(client: httpx.AsyncClient) -> None:
    cookies = f"{COOKIE}={_cookie(Role.ADMIN)}; {HOST_COOKIE}={_cookie(Role.OWNER)}"
    assert (await client.get("/admin", headers={"Cookie": cookies})).status_code == 403
    assert (await client.get("/owner", headers={"Cookie": f"{HOST_COOKIE}={_cookie(Role.OWNER)}"})).status_code == 200


async def test_no_browser_keeps_what_a_session_was_answered() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(headers={"Cache-Control": "public, max-age=60"})(scope, receive, send)

    people = partial(person_of, sessions=SESSIONS)
    transport = httpx.ASGITransport(Identified(answer, identify=people))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as browser:
        session = {"Cookie": f"{COOKIE}={_cookie(Role.OWNER)}"}
        found = [
            (await browser.get(path, headers=headers)).headers["cache-control"]
            for path, headers in ((f"{API}/runs", session), (f"{API}/runs", {}), ("/assets/board.css", session))
        ]
    assert found == ["private, no-store", "public, max-age=60", "public, max-age=60"]


async def test_route_that_is_not_in_the_table_is_nobodys(client: httpx.AsyncClient) -> None:
    answer = await client.get("/unlisted", headers={"Authorization": "Bearer operator"})
    assert answer.status_code == 403
