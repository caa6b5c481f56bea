"""Who signs in and out is told to the audit, and whoever tries again and again is not told without end."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from services.ops.board.routes import board_alone
from services.ops.people.sign_in import SignIn, add_sign_in
from services.ops.people.telling import AN_HOUR, Telling
from services.ops.people.users import Users
from shared.auth import Identified, person_of
from shared.clock import FixedClock
from shared.paths import API
from shared.principal import Principal, Role
from shared.sign_ins import ROUTE, Told
from shared.sign_ins import SignIn as Doing
from tests.support.people import SESSIONS, STATEMENTS, signed_in

PASSWORD = "correct horse battery"
RIGHT = {"name": "ada", "password": PASSWORD}
ADDRESS = "192.0.2.7"
ADA = Principal("ada", Role.OPERATOR)


class Platform:
    """A platform that hears what it is told, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.heard: list[Told | None] = []
        self._away = away

    def connections(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._hear), base_url="http://platform")

    def _hear(self, request: httpx.Request) -> httpx.Response:
        if self._away:
            raise httpx.ConnectError("nobody listens")
        assert (request.method, request.url.path) == ("POST", f"{API}{ROUTE}")
        self.heard.append(STATEMENTS.find(json.loads(request.content)["statement"]))
        return httpx.Response(204)


def _browser(tmp_path: Path, platform: Platform) -> httpx.AsyncClient:
    users = Users(tmp_path / "users.json", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    users.add("ada", "operator", ["desk"], PASSWORD)
    clock = FixedClock(datetime.now(UTC))
    app = board_alone("http://platform")
    app.add_middleware(Identified, identify=partial(person_of, sessions=SESSIONS))
    add_sign_in(app, SignIn(users, SESSIONS, clock, Telling(STATEMENTS, clock)))
    app.state.platform = platform.connections()
    headers = {"Sec-Fetch-Site": "same-origin"}
    transport = httpx.ASGITransport(app, client=(ADDRESS, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://board", headers=headers)


async def test_sign_in_refusal_and_sign_out_are_told_with_who_and_from_where(tmp_path: Path) -> None:
    platform = Platform()
    async with _browser(tmp_path, platform) as browser:
        for form in (RIGHT, {**RIGHT, "password": "wrong"}, {"name": PASSWORD, "password": "ada"}):
            await browser.post("/sign-in", data=form)
        session = signed_in(ADA)
        browser.cookies.clear()
        cookie = {"Cookie": session["Cookie"]}
        await browser.post("/sign-out", data={"csrf": "another"}, headers=cookie)
        await browser.post("/sign-out", data={"csrf": session["X-CSRF-Token"]}, headers=cookie)
        await browser.post("/sign-out")
    assert platform.heard == [
        Told("sign in", "ada", "operator", ADDRESS),
        Told("sign in", "ada", "anyone", ADDRESS, "refused: the password"),
        # What nobody is called may be a password in the wrong field.
        Told("sign in", "nobody", "anyone", ADDRESS, "refused: the name"),
        Told("sign out", "ada", "operator", ADDRESS),
    ]


async def test_who_tries_too_often_is_told_so(tmp_path: Path) -> None:
    platform = Platform()
    async with _browser(tmp_path, platform) as browser:
        for _ in range(11):
            await browser.post("/sign-in", data={**RIGHT, "password": "wrong"})
    assert platform.heard[-1] == Told("sign in", "nobody", "anyone", ADDRESS, "refused: too many attempts")


async def test_platform_that_is_away_keeps_nobody_from_its_pages(tmp_path: Path) -> None:
    async with _browser(tmp_path, Platform(away=True)) as browser:
        answers = [await browser.post("/sign-in", data=form) for form in (RIGHT, {**RIGHT, "password": "wrong"})]
    assert [answer.status_code for answer in answers] == [303, 401]


@pytest.fixture
def asked() -> HTTPConnection:
    app = Starlette()
    return HTTPConnection({"type": "http", "app": app, "client": (ADDRESS, 1), "headers": []})


def test_refusals_do_not_fill_the_audit_whoever_tries_and_are_counted(
    asked: HTTPConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_700_000_000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    platform, telling = Platform(), Telling(STATEMENTS, FixedClock(datetime.now(UTC)))
    asked.app.state.platform = platform.connections()
    for number in range(1000):
        telling.refused("the password", asked, name=f"n{number}")
    assert len(platform.heard) == AN_HOUR.amount
    # Whoever shows who they are is told meanwhile.
    telling.done(Doing.IN, ADA, asked)
    assert platform.heard[-1] == Told("sign in", "ada", "operator", ADDRESS)
    now[0] += 3601
    telling.refused("the password", asked)
    told = platform.heard[-1]
    assert told is not None
    assert told.outcome == f"refused: the password; {1000 - AN_HOUR.amount} before it are not noted"


def test_one_person_does_not_fill_it_either(asked: HTTPConnection) -> None:
    platform, telling = Platform(), Telling(STATEMENTS, FixedClock(datetime.now(UTC)))
    asked.app.state.platform = platform.connections()
    for _ in range(500):
        telling.done(Doing.IN, ADA, asked)
    telling.done(Doing.IN, Principal("ben", Role.OWNER), asked)
    assert len(platform.heard) == AN_HOUR.amount + 1
