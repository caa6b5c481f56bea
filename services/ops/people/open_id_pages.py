"""The way to the identity provider and back: what was asked goes along in a cookie that only we can have made."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx
import jwt
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import SecretStr

from services.ops.board.paths import SIGN_IN
from services.ops.board.refusals import said
from services.ops.people.open_id import Asked, NotSignedIn, Provider
from services.ops.people.sign_in import add_ways_in_and_out, begun, is_for_tls, local
from services.ops.people.telling import Telling
from shared.clock import Clock
from shared.sessions import Sessions
from shared.sign_ins import SignIn

log = structlog.get_logger("sign-in")

_COOKIE: Final = "sigmasight_signing_in"
_ALGORITHM: Final = "HS256"
# No session is one of these, and none of these a session.
_AUDIENCE: Final = "sigmasight signing in"
_LASTS: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class OpenIdSignIn:
    """Where people show who they are, and what they get for it."""

    provider: Provider
    sessions: Sessions
    key: SecretStr
    clock: Clock
    telling: Telling


def add_open_id(app: FastAPI, sign_in: OpenIdSignIn) -> None:
    """Add the pages to an application that has the board's and knows its callers."""
    add_ways_in_and_out(app, _router(sign_in), sign_in.telling)


def _router(sign_in: OpenIdSignIn) -> APIRouter:
    router = APIRouter()

    @router.get(SIGN_IN, response_class=HTMLResponse)
    def leave(request: Request) -> Response:
        asked, following = Asked(), local(request.query_params.get("next", "/"))
        try:
            answer = RedirectResponse(sign_in.provider.address(asked), HTTPStatus.SEE_OTHER)
        except (NotSignedIn, httpx.HTTPError) as error:
            log.warning("identity provider", error=type(error).__name__)
            return said(request, HTTPStatus.SERVICE_UNAVAILABLE, "the identity provider cannot be asked")
        claims = {**asdict(asked), "next": following, "aud": _AUDIENCE, "exp": sign_in.clock.now() + _LASTS}
        cookie = jwt.encode(claims, sign_in.key.get_secret_value(), algorithm=_ALGORITHM)
        is_secure, lasts = is_for_tls(request, sign_in.sessions), round(_LASTS.total_seconds())
        answer.set_cookie(_COOKIE, cookie, max_age=lasts, path=SIGN_IN, secure=is_secure, httponly=True, samesite="lax")
        return answer

    @router.get(f"{SIGN_IN}/answered", response_class=HTMLResponse)
    def answered(request: Request) -> Response:
        code, state = (request.query_params.get(name, "") for name in ("code", "state"))
        try:
            asked, following = _asked(request, sign_in.key)
            person = sign_in.provider.person(code, state, asked)
            cookie = sign_in.sessions.issue(person, at=sign_in.clock.now())
        except (NotSignedIn, httpx.HTTPError, ValueError) as error:
            log.warning("sign-in", admitted=False, error=type(error).__name__)
            sign_in.telling.refused("the provider's answer", request)
            return said(request, HTTPStatus.FORBIDDEN, "the identity provider's answer says of nobody who they are")
        log.info("sign-in", name=person.name, admitted=True)
        sign_in.telling.done(SignIn.IN, person, request)
        answer = begun(request, cookie, sign_in.sessions, following)
        answer.delete_cookie(_COOKIE, path=SIGN_IN, httponly=True, samesite="lax")
        return answer

    return router


def _asked(request: Request, key: SecretStr) -> tuple[Asked, str]:
    try:
        claims = jwt.decode(
            request.cookies.get(_COOKIE, ""),
            key.get_secret_value(),
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["exp", "aud"]},
        )
    except jwt.InvalidTokenError:
        raise NotSignedIn("nobody was sent to the provider from here") from None
    return Asked(claims["state"], claims["nonce"], claims["verifier"]), claims["next"]
