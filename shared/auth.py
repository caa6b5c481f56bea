"""Who may call what: one access table for every route, denied when a route is not in it."""

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import structlog
from fastapi import HTTPException, Request
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.paths import API
from shared.principal import CALLER, Principal, Role
from shared.sessions import NoSession, Sessions, cookie_of

log = structlog.get_logger("access")

# What changes nothing, for who follows the standard.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# By the routes as the services say them, without what they are all below.
ACCESS: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "GET /health/live": Role.ANYONE,
        "GET /health/ready": Role.ANYONE,
        "GET /metrics": Role.ANYONE,
        "POST /runs": Role.OPERATOR,
        "GET /runs": Role.OWNER,
        "GET /runs/{run_id}": Role.OWNER,
        "GET /runs/{run_id}/causes": Role.OWNER,
        "POST /runs/{run_id}/retry-failed": Role.OPERATOR,
        "POST /runs/{run_id}/cancel": Role.OPERATOR,
        "GET /runs/{run_id}/log": Role.OWNER,
        "GET /runs/{run_id}/events": Role.OWNER,
        "POST /backfills/plan": Role.VIEWER,
        "POST /backfills": Role.OPERATOR,
        "GET /backfills": Role.VIEWER,
        "GET /backfills/{backfill_id}": Role.VIEWER,
        "GET /backfills/{backfill_id}/steps": Role.VIEWER,
        "POST /backfills/{backfill_id}/pause": Role.OPERATOR,
        "POST /backfills/{backfill_id}/resume": Role.OPERATOR,
        "POST /backfills/{backfill_id}/cancel": Role.OPERATOR,
        "POST /backfills/{backfill_id}/retry-failed": Role.OPERATOR,
        "GET /dead-letters": Role.OPERATOR,
        "GET /dead-letters/counts": Role.VIEWER,
        "POST /dead-letters/redrives": Role.OPERATOR,
        "GET /dead-letters/redrives/{redrive_id}": Role.OPERATOR,
        "GET /dead-letters/{letter_id}": Role.OPERATOR,
        "POST /dead-letters/{letter_id}/drop": Role.OPERATOR,
        "GET /schedule": Role.VIEWER,
        "GET /schedule/fires": Role.VIEWER,
        "GET /schedule/fires/{fire_id}": Role.VIEWER,
        "GET /schedule/pauses": Role.VIEWER,
        "POST /schedule/pause": Role.OPERATOR,
        "POST /schedule/resume": Role.OPERATOR,
        "POST /schedule/triggers/{stage}": Role.OPERATOR,
        "GET /cells": Role.VIEWER,
        "GET /readiness": Role.OWNER,
        "GET /readiness/{portfolio_id}": Role.OWNER,
        "POST /admin/batch/run": Role.OPERATOR,
        "GET /admin/batch/run/current": Role.VIEWER,
        "POST /admin/batch/trigger/market-data": Role.OPERATOR,
        "POST /admin/batch/trigger/correlations": Role.OPERATOR,
        "POST /admin/batch/trigger/company-profiles": Role.OPERATOR,
        "POST /admin/batch/restore-sector-tags": Role.OPERATOR,
        "GET /admin/batch/history": Role.VIEWER,
        "GET /admin/batch/history/summary": Role.VIEWER,
        "GET /admin/batch/history/{batch_run_id}": Role.VIEWER,
        "GET /admin/batch/history/{batch_run_id}/logs": Role.VIEWER,
        "GET /admin/batch/data-quality": Role.VIEWER,
        "POST /admin/batch/data-quality/refresh": Role.OPERATOR,
        "GET /onboarding/status/{portfolio_id}": Role.OWNER,
        "GET /portfolios/{portfolio_id}/batch-status/{batch_run_id}": Role.OWNER,
        "GET /prices/{symbol}": Role.OWNER,
        "GET /profiles/{symbol}": Role.OWNER,
        "GET /fundamentals/{symbol}": Role.OWNER,
        "GET /findings": Role.VIEWER,
        "GET /findings/counts": Role.VIEWER,
        "GET /findings/rulings": Role.VIEWER,
        "POST /findings/rulings": Role.OPERATOR,
        "GET /corporate-actions/{symbol}": Role.OWNER,
        "POST /corporate-actions": Role.OPERATOR,
        "GET /universes": Role.VIEWER,
        "GET /universes/{name}": Role.VIEWER,
        "PUT /universes/{name}": Role.OPERATOR,
        "GET /identifiers": Role.VIEWER,
        "POST /identifiers": Role.OPERATOR,
        "POST /identifiers/{identifier_id}/withdraw": Role.OPERATOR,
        "GET /coverage": Role.VIEWER,
        "GET /sources": Role.VIEWER,
        "GET /vendors": Role.VIEWER,
        "GET /vendors/requests": Role.VIEWER,
        "GET /vendors/estimate": Role.VIEWER,
        "GET /attempts/{symbol}": Role.VIEWER,
        "GET /absences": Role.VIEWER,
        "POST /absences/forgotten": Role.OPERATOR,
        "GET /rates/{series}": Role.OWNER,
        "GET /open-interest/{symbol}": Role.OWNER,
        "GET /symbols": Role.OWNER,
        "GET /symbols/{symbol}": Role.OWNER,
        "GET /factors": Role.OWNER,
        "GET /symbol-metrics": Role.OWNER,
        "POST /portfolios": Role.OPERATOR,
        "POST /portfolios/dry-run": Role.OPERATOR,
        "GET /portfolios": Role.OWNER,
        "GET /portfolios/{portfolio_id}": Role.OWNER,
        "PATCH /portfolios/{portfolio_id}": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/calculate": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/close": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/reopen": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/positions": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/positions/dry-run": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/flows": Role.OPERATOR,
        "PUT /portfolios/{portfolio_id}/positions/{position_id}": Role.OPERATOR,
        "DELETE /portfolios/{portfolio_id}/positions/{position_id}": Role.OPERATOR,
        "POST /portfolios/{portfolio_id}/positions/{position_id}/exits": Role.OPERATOR,
        "PUT /portfolios/{portfolio_id}/flows/{flow_id}": Role.OPERATOR,
        "DELETE /portfolios/{portfolio_id}/flows/{flow_id}": Role.OPERATOR,
        "GET /portfolios/{portfolio_id}/positions": Role.OWNER,
        "GET /portfolios/{portfolio_id}/flows": Role.OWNER,
        "GET /portfolios/{portfolio_id}/edits": Role.OWNER,
        "GET /portfolios/{portfolio_id}/performance": Role.OWNER,
        "GET /portfolios/{portfolio_id}/realised": Role.OWNER,
        "GET /portfolios/{portfolio_id}/changes": Role.OWNER,
        "GET /portfolios/{portfolio_id}/explain/{measure}": Role.OWNER,
        "GET /portfolios/{portfolio_id}/snapshots": Role.OWNER,
        "GET /portfolios/{portfolio_id}/values": Role.OWNER,
        "GET /snapshots": Role.OWNER,
        "GET /position-values": Role.OWNER,
        "GET /risk": Role.OWNER,
        "GET /risk/scenarios": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}": Role.OWNER,
        "PUT /risk/benchmarks/{name}": Role.OPERATOR,
        "GET /risk/benchmarks/{name}": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/active-sectors": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/changes": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/explain/{measure}": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/stress": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/correlations": Role.OWNER,
        "GET /risk/portfolios/{portfolio_id}/contributions": Role.OWNER,
        # What operators have done is for others than them to read.
        "GET /audit/scheduler": Role.ADMIN,
        # Whoever has not signed in has no role, and what is told is signed.
        "POST /audit/scheduler/sign-ins": Role.ANYONE,
        "GET /audit/market_data": Role.ADMIN,
        "GET /audit/portfolio": Role.ADMIN,
        "GET /audit/risk": Role.ADMIN,
    }
)


# Prometheus asks a service itself; what a proxy has passed on comes from outside.
_INSIDE: Final = frozenset({"GET /metrics"})
_OF_PROXIES: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


class Authenticator:
    """Tells who a request is from, and checks their role against the access table."""

    def __init__(self, *, viewer_token: SecretStr, operator_token: SecretStr, sessions: Sessions | None = None) -> None:
        self._tokens = (
            (Principal("operator token", Role.OPERATOR), operator_token),
            (Principal("viewer token", Role.VIEWER), viewer_token),
        )
        self._sessions = sessions

    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise 401 or 403."""
        route = request.scope["route"]
        called = f"{request.method} {route.path}"
        needed = ACCESS.get(called)
        if needed is None:
            raise HTTPException(403, detail="this route is not in the access table")
        if called in _INSIDE and any(header in request.headers for header in _OF_PROXIES):
            needed = Role.VIEWER
        admit(needed, request)

    def identify(self, connection: HTTPConnection) -> Principal | None:
        """Return who a request is from: by its bearer token, else by its cookie; None where neither is known."""
        authorization = connection.headers.get("authorization")
        if authorization is not None:
            return self._program(authorization)
        return None if self._sessions is None else person_of(connection, self._sessions)

    def _program(self, authorization: str) -> Principal | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        for program, expected in self._tokens:
            if secrets.compare_digest(token.encode(), expected.get_secret_value().encode()):
                return program
        return None


def person_of(connection: HTTPConnection, sessions: Sessions) -> Principal | None:
    """Return whose session a request has; None where it has none."""
    try:
        return sessions.read(cookie_of(connection))
    except NoSession:
        return None


def admit(needed: Role, connection: HTTPConnection) -> None:
    """Return if the caller has the role that is needed, and means what is asked for.

    Raises
    ------
    HTTPException
        401 or 403.
    """
    if needed is Role.ANYONE:
        return
    caller = caller_of(connection)
    if caller is None:
        detail = "a valid bearer token is needed, or a session"
        raise HTTPException(401, detail=detail, headers={"WWW-Authenticate": "Bearer"})
    if caller.role < needed:
        method, path = connection.scope["method"], connection.scope["path"]
        log.warning("role refused", caller=caller.name, role=caller.role.name.lower(), method=method, path=path)
        raise HTTPException(403, detail=f"role {needed.name.lower()} is needed, was {caller.role.name.lower()}")
    if caller.csrf is not None and connection.scope["method"] not in SAFE:
        said = connection.headers.get("x-csrf-token", "")
        if not secrets.compare_digest(said.encode(), caller.csrf.encode()):
            raise HTTPException(403, detail="a session needs its token in X-CSRF-Token to change anything")


def caller_of(connection: HTTPConnection) -> Principal | None:
    """Return who a request is from, as `Identified` has told."""
    caller: Principal | None = connection.scope.get("caller")
    return caller


class Identified:
    """Tells who a request is from, before anything of it is read (an ASGI middleware)."""

    def __init__(self, app: ASGIApp, *, identify: Callable[[HTTPConnection], Principal | None]) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # In the scope itself: what is around us reads there what routes have written.
        scope["caller"] = caller = self._identify(HTTPConnection(scope))
        is_browsers = caller is not None and caller.csrf is not None and scope["path"].startswith(API)
        token = CALLER.set(caller)
        try:
            await self._app(scope, receive, _unkept(send) if is_browsers else send)
        finally:
            CALLER.reset(token)


def _unkept(send: Send) -> Send:
    # Whoever sits at the browser next has another session, or none.
    async def send_unkept(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Cache-Control"] = "private, no-store"
        await send(message)

    return send_unkept
