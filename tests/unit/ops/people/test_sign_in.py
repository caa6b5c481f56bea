"""Signing in: who shows who they are gets a session, and nobody gets anywhere else by it."""

from datetime import UTC, datetime, timedelta
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
import structlog
from argon2 import PasswordHasher

from services.ops.board.routes import board_alone
from services.ops.people.sign_in import SignIn, add_sign_in
from services.ops.people.telling import Telling
from services.ops.people.users import Users
from shared.auth import Identified, person_of
from shared.clock import FixedClock
from shared.principal import Principal, Role
from shared.sessions import COOKIE, HOST_COOKIE, Sessions
from tests.support.people import SESSION_KEY, SESSIONS, STATEMENTS, signed_in
from tests.unit.ops.board.stored import everything
from tests.unit.ops.board.world import HOSTILE, World, wrongs_of

PASSWORD = "correct horse battery"
RIGHT = {"name": "ada", "password": PASSWORD}


@pytest.fixture
def users(tmp_path: Path) -> Users:
    found = Users(tmp_path / "users.json", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    found.add("ada", "operator", ["desk"], PASSWORD)
    return found


def _way_in(users: Users, sessions: Sessions) -> SignIn:
    clock = FixedClock(datetime.now(UTC))
    return SignIn(users, sessions, clock, Telling(STATEMENTS, clock))


def _browser(
    users: Users, base_url: str = "http://board", *, sessions: Sessions = SESSIONS, sign_in: SignIn | None = None
) -> httpx.AsyncClient:
    app = board_alone("http://platform")
    app.add_middleware(Identified, identify=partial(person_of, sessions=SESSIONS))
    add_sign_in(app, sign_in or _way_in(users, sessions))
    refusing = httpx.MockTransport(lambda _: httpx.Response(401, json={"detail": "a valid bearer token is needed"}))
    app.state.platform = httpx.Client(transport=refusing, base_url="http://platform")
    headers = {"Sec-Fetch-Site": "same-origin"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url, headers=headers)


# The proxy that ends TLS asks us without: whatever is not on this machine is reached by it.
@pytest.mark.parametrize(
    ("base_url", "secure"),
    [
        *((url, True) for url in ("http://board", "https://board", "https://127.0.0.1")),
        *((url, False) for url in ("http://127.0.0.1:8080", "http://localhost:8000", "http://[::1]:8000")),
    ],
)
async def test_right_password_gives_a_session_that_no_script_reads(
    users: Users, base_url: str, *, secure: bool
) -> None:
    async with _browser(users, base_url) as browser:
        answer = await browser.post("/sign-in", data={**RIGHT, "next": "/pages/runs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/pages/runs")
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "lax", "/", "")
    assert (bool(cookie["secure"]), cookie["max-age"]) == (secure, "3600")
    # Browsers take the one from nobody but this host, by https.
    assert cookie.key == (HOST_COOKIE if secure else COOKIE)
    found = SESSIONS.read(cookie.value)
    assert (found.name, found.role, found.groups) == ("ada", Role.OPERATOR, ("desk",))


async def test_session_goes_without_tls_where_that_was_chosen(users: Users) -> None:
    sessions = Sessions(SESSION_KEY, lasting=timedelta(hours=1), secure=False)
    async with _browser(users, sessions=sessions) as browser:
        answer = await browser.post("/sign-in", data=RIGHT)
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert not cookie["secure"]


@pytest.mark.parametrize("form", [{}, {"name": "ada"}, {**RIGHT, "password": "wrong"}, {**RIGHT, "name": "nobody"}])
async def test_nobody_else_gets_one_and_all_are_told_the_same(users: Users, form: dict[str, str]) -> None:
    async with _browser(users) as browser:
        answer = await browser.post("/sign-in", data=form)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "There is nobody of this name with this password." in answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb"]
)
async def test_nobody_is_sent_elsewhere(users: Users, elsewhere: str) -> None:
    async with _browser(users) as browser:
        answer = await browser.post("/sign-in", data={**RIGHT, "next": elsewhere})
        page = await browser.get("/sign-in", params={"next": elsewhere})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert 'name="next" value="/"' in page.text


async def test_form_of_another_site_signs_nobody_in(users: Users) -> None:
    async with _browser(users) as browser:
        for origin, status in (("https://evil.example", 403), ("null", 403), ("http://board", 303)):
            answer = await browser.post("/sign-in", data=RIGHT, headers={"Origin": origin})
            assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 303), origin


@pytest.mark.parametrize(
    ("said", "status"),
    [("same-origin", 303), ("same-site", 403), ("cross-site", 403), ("none", 403), ("", 403)],
)
async def test_form_that_does_not_say_that_it_is_ours_signs_nobody_in(users: Users, said: str, status: int) -> None:
    async with _browser(users) as browser:
        answer = await browser.post("/sign-in", data=RIGHT, headers={"Sec-Fetch-Site": said})
    assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 303)


async def test_log_says_who_signed_in_and_no_name_that_may_be_a_password(users: Users) -> None:
    with structlog.testing.capture_logs() as logged:
        async with _browser(users) as browser:
            for form in (RIGHT, {**RIGHT, "password": "wrong"}, {"name": PASSWORD, "password": "ada"}):
                await browser.post("/sign-in", data=form)
    said = [(line["name"], line["admitted"]) for line in logged if line["event"] == "sign-in"]
    assert said == [("ada", True), ("ada", False), (None, False)]
    assert PASSWORD not in str(logged)


async def _tries(browser: httpx.AsyncClient, *names: str, typed: str = "x") -> list[int]:
    forms = [{"name": name, "password": typed} for name in names]
    return [(await browser.post("/sign-in", data=form)).status_code for form in forms]


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_who_tries_too_often_has_to_wait_even_with_the_right_password(users: Users, name: str) -> None:
    async with _browser(users) as browser:
        tried = await _tries(browser, *[name] * 10)
        form = {"name": name, "password": PASSWORD}
        answer = await browser.post("/sign-in", data=form, headers={"X-Forwarded-For": "192.0.2.1"})
        others = await _tries(browser, *(f"n{number}" for number in range(41)))
    assert tried == [401] * 10
    assert (answer.status_code, "set-cookie" in answer.headers) == (429, False)
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    # From one address, whatever the name: fifty, of which ten are gone.
    assert others == [401] * 40 + [429]


async def test_who_signs_in_is_not_counted(users: Users) -> None:
    async with _browser(users) as browser:
        assert await _tries(browser, *["ada"] * 60, typed=PASSWORD) == [303] * 60


async def test_two_passwords_are_checked_at_once_and_others_told_to_come_again(users: Users) -> None:
    sign_in = _way_in(users, SESSIONS)
    async with _browser(users, sign_in=sign_in) as browser:
        with sign_in.places:
            assert await _tries(browser, "ada", typed=PASSWORD) == [303]
            with sign_in.places:
                busy = await browser.post("/sign-in", data=RIGHT)
        after = await _tries(browser, "ada", typed=PASSWORD)
    assert (busy.status_code, busy.headers["retry-after"], after) == (503, "1", [303])


async def test_page_leads_to_signing_in_and_back(users: Users) -> None:
    async with _browser(users) as browser:
        answer = await browser.get("/pages/runs", params={"status": "failed"})
        part = await browser.get("/pages/runs", headers={"HX-Request": "true"})
        page = await browser.get(answer.headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fpages%2Fruns%3Fstatus%3Dfailed")
    assert part.headers["hx-redirect"] == "/sign-in"
    assert 'value="/pages/runs?status=failed"' in page.text
    assert wrongs_of(page.text) == []


async def test_pages_show_the_token_of_whoever_has_signed_in_and_signing_out_needs_it(users: Users) -> None:
    headers = signed_in(Principal("ada", Role.OPERATOR))
    cookie, token = {"Cookie": headers["Cookie"]}, headers["X-CSRF-Token"]
    async with _browser(users) as browser:
        page = (await browser.get("/sign-in", headers=cookie)).text
        refused = [
            (await browser.post("/sign-out", data={"csrf": wrong}, headers=cookie)) for wrong in ("another", "é", "")
        ]
        ended = await browser.post("/sign-out", data={"csrf": token}, headers=cookie)
        stranger = (await browser.get("/sign-in")).text
    assert f'<meta name="csrf-token" content="{token}">' in page
    assert "csrf" not in stranger
    assert [(each.status_code, "set-cookie" in each.headers) for each in refused] == [(403, False)] * 3
    assert ended.status_code == 303
    assert [cookie.partition(";")[0] for cookie in ended.headers.get_list("set-cookie")] == [
        f'{COOKIE}=""',
        f'{HOST_COOKIE}=""',
    ]


async def test_what_somebody_types_is_shown_as_text(users: Users) -> None:
    async with _browser(users) as browser:
        answer = await browser.post("/sign-in", data={"name": HOSTILE, "password": HOSTILE, "next": f"/{HOSTILE}"})
    assert wrongs_of(answer.text) == []
    assert HOSTILE not in answer.text


async def test_session_is_forwarded_to_the_platform() -> None:
    world = World(everything())
    headers = signed_in(Principal("ada", Role.OPERATOR))
    async with world.pages() as browser:
        await browser.get("/", headers=headers)
    assert {each.headers["cookie"] for each in world.asked} == {headers["Cookie"]}
