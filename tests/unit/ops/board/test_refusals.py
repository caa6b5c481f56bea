"""What every page has in common: whose credentials it asks with, what its headers forbid, what it says of a no."""

import httpx
import pytest

from services.ops.board.caller import know_platform
from services.ops.board.routes import board_alone
from tests.unit.ops.board.stored import everything
from tests.unit.ops.board.world import HOSTILE, World, wrongs_of

READY = everything()


async def test_page_asks_with_the_credentials_of_whoever_looks_and_with_no_others() -> None:
    world = World(READY)
    async with world.pages() as browser:
        given = {"Authorization": "Bearer mine", "Cookie": "session=mine", "X-CSRF-Token": "t", "X-Forwarded-For": "a"}
        await browser.get("/", headers=given)
        await browser.get("/")

    first, second = world.sent("GET /schedule")
    assert (first.headers["authorization"], first.headers["cookie"]) == ("Bearer mine", "session=mine")
    assert first.headers["x-csrf-token"] == "t"
    assert "x-forwarded-for" not in first.headers
    assert not {"authorization", "cookie", "x-csrf-token"} & set(second.headers)


def test_cookie_of_one_answer_is_not_sent_with_the_next() -> None:
    app = board_alone("http://platform")
    know_platform(app, "http://platform")
    connections: httpx.Client = app.state.platform
    answer = httpx.Response(
        200, headers={"Set-Cookie": "session=mine"}, request=httpx.Request("GET", "http://platform")
    )
    connections.cookies.extract_cookies(answer)
    assert list(connections.cookies.jar) == []


async def test_page_runs_its_own_files_only_and_is_kept_by_nobody() -> None:
    async with World(READY).pages() as browser:
        for address in ("/", "/pages/none"):
            headers = (await browser.get(address)).headers
            policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in headers["content-security-policy"]
            assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (401, "Sign in first"),
        (403, "That takes another role"),
        (404, "There is no such thing"),
        (422, "The platform says no"),
        (503, "The platform is away"),
    ],
)
async def test_no_of_the_platform_is_a_page_with_its_status_and_its_reason(status: int, title: str) -> None:
    problem = {"detail": f"because of {HOSTILE}", "errors": [{"field": "x", "reason": HOSTILE}]}
    async with World({**READY, "GET /runs": (status, problem)}).pages() as browser:
        answer = await browser.get("/")

    assert answer.status_code == status
    assert f"<h1>{title}</h1>" in answer.text
    assert "because of &lt;script&gt;" in answer.text
    assert ("Authorization: Bearer" in answer.text) == (status == 401)
    assert wrongs_of(answer.text) == []


async def test_part_of_a_page_that_is_refused_is_a_part() -> None:
    async with World({**READY, "GET /runs": (403, {"detail": "no"})}).pages() as browser:
        answer = await browser.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 403
    assert answer.text.lstrip().startswith('<div class="notice bad">')
    assert "<html" not in answer.text


async def test_platform_that_does_not_answer_is_a_page_that_says_so() -> None:
    def gone(request: httpx.Request) -> tuple[int, object]:
        raise httpx.ConnectError("refused", request=request)

    async with World({"GET /runs": gone}).pages() as browser:
        answer = await browser.get("/")
    assert (answer.status_code, "The platform is away" in answer.text) == (503, True)


async def test_page_that_is_not_there_is_a_page_too() -> None:
    async with World(READY).pages() as browser:
        answer = await browser.get("/pages/no/such")
        elsewhere = await browser.get("/nothing")
    assert (answer.status_code, "There is no such thing" in answer.text) == (404, True)
    assert elsewhere.headers["content-type"] == "application/json"
