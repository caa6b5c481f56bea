"""The page on which people sign in, and what it sets: a cookie that every service reads."""

import secrets
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import HTTPConnection

from services.ops.board.caller import Form
from services.ops.board.pages import page
from services.ops.board.paths import SIGN_IN, SIGN_OUT
from services.ops.client.client import is_loopback
from services.ops.people.attempts import Attempts, TooManyAttempts
from services.ops.people.telling import Telling, address_of
from services.ops.people.users import Users
from shared.auth import caller_of
from shared.clock import Clock
from shared.sessions import COOKIE, HOST_COOKIE, Sessions
from shared.sign_ins import SignIn as Doing

log = structlog.get_logger("sign-in")

# How many passwords are checked at once.
AT_ONCE: Final = 2

_REFUSED: Final = "There is nobody of this name with this password."
_BUSY: Final = "Others are signing in at the moment: try again."
_FOREIGN: Final = "That form was not ours: open this page again."


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people show who they are, and what they get for it."""

    users: Users
    sessions: Sessions
    clock: Clock
    telling: Telling
    attempts: Attempts = field(default_factory=Attempts)
    # A password that is checked takes 64 MiB for a while.
    places: BoundedSemaphore = field(default_factory=partial(BoundedSemaphore, AT_ONCE))


def add_sign_in(app: FastAPI, sign_in: SignIn) -> None:
    """Add the pages to an application that has the board's and knows its callers."""
    add_ways_in_and_out(app, _router(sign_in), sign_in.telling)


def _router(sign_in: SignIn) -> APIRouter:
    router = APIRouter()

    @router.get(SIGN_IN, response_class=HTMLResponse)
    def ask(request: Request) -> HTMLResponse:
        return _asked(request, request.query_params.get("next", "/"))

    @router.post(SIGN_IN, response_class=HTMLResponse)
    def check(request: Request, form: Form) -> Response:
        name, following = form.get("name", "")[:100], form.get("next", "/")
        if not _is_ours(request):
            return _asked(request, following, HTTPStatus.FORBIDDEN, _FOREIGN)
        address = address_of(request)
        try:
            sign_in.attempts.check(name, address)
        except TooManyAttempts as refusal:
            sign_in.telling.refused("too many attempts", request)
            status, trouble = HTTPStatus.TOO_MANY_REQUESTS, f"{refusal}.".capitalize()
            return _asked(request, following, status, trouble, wait_s=refusal.wait_s)
        if not sign_in.places.acquire(blocking=False):
            return _asked(request, following, HTTPStatus.SERVICE_UNAVAILABLE, _BUSY, wait_s=1)
        try:
            user = sign_in.users.check(name, form.get("password", ""))
        finally:
            sign_in.places.release()
        # What nobody is called may be a password in the wrong field.
        named = name if sign_in.users.find(name) is not None else None
        log.info("sign-in", name=named, address=address, admitted=user is not None)
        if user is None:
            sign_in.attempts.count_failure(name, address)
            sign_in.telling.refused("the password" if named else "the name", request, name=named)
            return _asked(request, following, HTTPStatus.UNAUTHORIZED, _REFUSED)
        cookie = sign_in.sessions.issue(user.principal, at=sign_in.clock.now(), mark=user.mark)
        sign_in.telling.done(Doing.IN, user.principal, request)
        return begun(request, cookie, sign_in.sessions, following)

    return router


def add_ways_in_and_out(app: FastAPI, router: APIRouter, telling: Telling) -> None:
    """Add the routes of signing in, and what ends a session in its browser."""
    # Who is nobody yet is asked here.
    app.state.signs_in = True

    @router.post(SIGN_OUT, response_class=HTMLResponse)
    def end(request: Request, form: Form) -> Response:
        caller = caller_of(request)
        if caller is not None and not secrets.compare_digest(
            form.get("csrf", "").encode(), (caller.csrf or "").encode()
        ):
            return _asked(request, "/", HTTPStatus.FORBIDDEN, _FOREIGN)
        if caller is not None:
            telling.done(Doing.OUT, caller, request)
        answer = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
        for name in (COOKIE, HOST_COOKIE):
            answer.delete_cookie(name, secure=name == HOST_COOKIE, httponly=True, samesite="lax")
        return answer

    app.include_router(router, include_in_schema=False)


def begun(request: Request, cookie: str, sessions: Sessions, following: str) -> Response:
    """Return the answer that begins a session, and goes where its person wanted to."""
    answer = RedirectResponse(local(following), HTTPStatus.SEE_OTHER)
    keep(answer, cookie, sessions, is_secure=is_for_tls(request, sessions))
    return answer


def keep(answer: Response, cookie: str, sessions: Sessions, *, is_secure: bool) -> None:
    """Have the browser keep a session."""
    answer.set_cookie(
        HOST_COOKIE if is_secure else COOKIE,
        cookie,
        max_age=round(sessions.lasting.total_seconds()),
        secure=is_secure,
        httponly=True,
        samesite="lax",
    )


def is_for_tls(request: HTTPConnection, sessions: Sessions) -> bool:
    """Tell whether a cookie is never to be sent without TLS, which a proxy may end in front of us."""
    return request.url.scheme == "https" or (sessions.secure and not is_loopback(str(request.url)))


def _asked(
    request: Request, following: str, status: int = 200, trouble: str | None = None, *, wait_s: int | None = None
) -> HTMLResponse:
    answer = page(request, "sign_in.html.j2", status, following=local(following), trouble=trouble)
    if wait_s is not None:
        answer.headers["Retry-After"] = str(wait_s)
    return answer


def _is_ours(request: Request) -> bool:
    # There is no session yet that a token could belong to; browsers say where a form was, one way or the other.
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin.partition("://")[2] == request.headers.get("host")


def local(address: str) -> str:
    """Return the address if it is one of ours: nobody is sent elsewhere who has just signed in here."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if is_local and "\\" not in address else "/"
