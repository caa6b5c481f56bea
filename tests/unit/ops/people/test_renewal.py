"""Sessions go on while those may have them whose they are; what was copied of them ends with that."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ops.people.renewal import Renewal, Renewed
from services.ops.people.telling import Telling
from services.ops.people.users import Users
from shared.auth import Identified, caller_of, person_of
from shared.clock import FixedClock
from shared.sessions import COOKIE, HOST_COOKIE, Sessions
from shared.sign_ins import Told
from tests.support.people import SESSION_KEY, STATEMENTS

PASSWORD = "correct horse battery"
SESSIONS = Sessions(SESSION_KEY, lasting=timedelta(hours=8))


@pytest.fixture
def now() -> datetime:
    """Return the time of the test: cookies are believed by the clock of the machine."""
    return datetime.now(UTC)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    found = Users(tmp_path / "users.json", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    found.add("ada", "operator", ["desk"], PASSWORD)
    return found


class _Answering:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        caller = caller_of(connection)
        who = caller and f"{caller.name} {caller.role.name} {caller.csrf}"
        await JSONResponse({"who": who, "cookies": dict(connection.cookies)})(scope, receive, send)


def _browser(
    users: Users, now: datetime, base_url: str = "http://127.0.0.1", told: list[Told | None] | None = None
) -> httpx.AsyncClient:
    def platform(request: httpx.Request) -> httpx.Response:
        (told if told is not None else []).append(STATEMENTS.find(json.loads(request.content)["statement"]))
        return httpx.Response(204)

    clock = FixedClock(now)
    pages = Starlette()
    pages.state.platform = httpx.Client(transport=httpx.MockTransport(platform), base_url="http://platform")
    pages.add_middleware(_Answering)
    pages.add_middleware(Identified, identify=partial(person_of, sessions=SESSIONS))
    pages.add_middleware(Renewed, renewal=Renewal(SESSIONS, clock, users.look_up, Telling(STATEMENTS, clock)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url=base_url)


def _session(users: Users, begun: datetime) -> str:
    user = users.find("ada")
    assert user is not None
    return SESSIONS.issue(user.principal, at=begun, mark=user.mark)


def _token(cookie: str, now: datetime) -> str | None:
    due = SESSIONS.find_due(cookie, at=now + timedelta(minutes=10))
    assert due is not None
    return due.person.csrf


async def test_session_goes_on_when_it_is_some_minutes_old_with_the_token_that_pages_have(
    users: Users, now: datetime
) -> None:
    async with _browser(users, now) as browser:
        for minutes_ago, renewed in ((1, False), (6, True), (200, True)):
            cookie = _session(users, now - timedelta(minutes=minutes_ago))
            answer = await browser.get("/", headers={"Cookie": f"other=1; {COOKIE}={cookie}"})
            said = answer.json()
            assert said["who"] == f"ada OPERATOR {_token(cookie, now)}"
            # What is asked of services in their name is asked with it.
            assert (said["cookies"][COOKIE] != cookie, said["cookies"]["other"]) == (renewed, "1")
            assert answer.cookies.get(COOKIE) == (said["cookies"][COOKIE] if renewed else None)
            browser.cookies.clear()


def _removed(users: Users) -> None:
    users.remove("ada")


def _other_password(users: Users) -> None:
    users.set_password("ada", f"{PASSWORD} 2")


def _another_of_the_name(users: Users) -> None:
    users.remove("ada")
    users.add("ada", "admin", [], PASSWORD)


@pytest.mark.parametrize("change", [_removed, _other_password, _another_of_the_name])
async def test_copied_session_ends_within_minutes(users: Users, now: datetime, change: Callable[[Users], None]) -> None:
    fresh, copied = _session(users, now - timedelta(minutes=1)), _session(users, now - timedelta(minutes=6))
    change(users)
    told: list[Told | None] = []
    async with _browser(users, now, told=told) as browser:
        answers = [await browser.get("/", headers={"Cookie": f"{COOKIE}={each}"}) for each in (fresh, copied)]
    assert [answer.json()["who"] is None for answer in answers] == [False, True]
    assert answers[1].json()["cookies"] == {}
    assert "set-cookie" not in answers[1].headers
    assert told == [Told("session ended", "ada", "operator", "127.0.0.1")]


async def test_role_is_what_the_file_says_now(users: Users, now: datetime, tmp_path: Path) -> None:
    cookie, file = _session(users, now - timedelta(minutes=6)), tmp_path / "users.json"
    file.write_text(file.read_text().replace('"operator"', '"owner"'))
    async with _browser(users, now) as browser:
        answer = await browser.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.json()["who"] == f"ada OWNER {_token(cookie, now)}"


async def test_by_https_a_session_that_another_host_may_have_set_counts_for_nothing(
    users: Users, now: datetime
) -> None:
    cookie = _session(users, now - timedelta(minutes=6))
    async with _browser(users, now, "https://board.example") as browser:
        for name, counts in ((COOKIE, False), (HOST_COOKIE, True)):
            answer = await browser.get("/", headers={"Cookie": f"{name}={cookie}"})
            assert (answer.json()["who"] is not None, HOST_COOKIE in answer.headers.get("set-cookie", "")) == (
                counts,
                counts,
            )
            browser.cookies.clear()
