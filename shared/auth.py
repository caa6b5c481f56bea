"""Who may call what: one access table for every route, denied when a route is not in it."""

import secrets
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from fastapi import HTTPException, Request
from pydantic import SecretStr


class Role(IntEnum):
    """What a caller may do; each role includes the ones below it."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 2


# By the routes as the services say them, without what they are all below.
ACCESS: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "GET /health/live": Role.ANYONE,
        "GET /health/ready": Role.ANYONE,
        # Prometheus, on the port of the service: the gateway sends nothing there.
        "GET /metrics": Role.ANYONE,
        "POST /runs": Role.OPERATOR,
        "GET /runs": Role.VIEWER,
        "GET /runs/{run_id}": Role.VIEWER,
        "GET /runs/{run_id}/causes": Role.VIEWER,
        "POST /runs/{run_id}/retry-failed": Role.OPERATOR,
        "POST /runs/{run_id}/cancel": Role.OPERATOR,
        "GET /runs/{run_id}/log": Role.VIEWER,
        "GET /runs/{run_id}/events": Role.VIEWER,
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
        "GET /readiness": Role.VIEWER,
        "GET /readiness/{portfolio_id}": Role.VIEWER,
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
        "GET /onboarding/status/{portfolio_id}": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/batch-status/{batch_run_id}": Role.VIEWER,
        "GET /prices/{symbol}": Role.VIEWER,
        "GET /profiles/{symbol}": Role.VIEWER,
        "GET /fundamentals/{symbol}": Role.VIEWER,
        "GET /findings": Role.VIEWER,
        "GET /findings/counts": Role.VIEWER,
        "GET /findings/rulings": Role.VIEWER,
        "POST /findings/rulings": Role.OPERATOR,
        "GET /coverage": Role.VIEWER,
        "GET /sources": Role.VIEWER,
        "GET /vendors": Role.VIEWER,
        "GET /attempts/{symbol}": Role.VIEWER,
        "GET /symbols": Role.VIEWER,
        "GET /symbols/{symbol}": Role.VIEWER,
        "GET /factors": Role.VIEWER,
        "GET /symbol-metrics": Role.VIEWER,
        "POST /portfolios": Role.OPERATOR,
        "POST /portfolios/dry-run": Role.OPERATOR,
        "GET /portfolios": Role.VIEWER,
        "GET /portfolios/{portfolio_id}": Role.VIEWER,
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
        "GET /portfolios/{portfolio_id}/positions": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/flows": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/edits": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/performance": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/realised": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/changes": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/explain/{measure}": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/snapshots": Role.VIEWER,
        "GET /portfolios/{portfolio_id}/values": Role.VIEWER,
        "GET /snapshots": Role.VIEWER,
        "GET /position-values": Role.VIEWER,
        "GET /risk": Role.VIEWER,
        "GET /risk/scenarios": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}": Role.VIEWER,
        "PUT /risk/benchmarks/{name}": Role.OPERATOR,
        "GET /risk/benchmarks/{name}": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/active-sectors": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/changes": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/explain/{measure}": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/stress": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/correlations": Role.VIEWER,
        "GET /risk/portfolios/{portfolio_id}/contributions": Role.VIEWER,
    }
)


class Authenticator:
    """Tells the role of a bearer token and checks it against the access table."""

    def __init__(self, *, viewer_token: SecretStr, operator_token: SecretStr) -> None:
        self._tokens = ((Role.OPERATOR, operator_token), (Role.VIEWER, viewer_token))

    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise 401 or 403."""
        route = request.scope["route"]
        needed = ACCESS.get(f"{request.method} {route.path}")
        if needed is None:
            raise HTTPException(403, detail="this route is not in the access table")
        self.admit(needed, request.headers.get("authorization", ""))

    def admit(self, needed: Role, authorization: str) -> None:
        """Return if the header gives the role that is needed.

        Raises
        ------
        HTTPException
            401 or 403.
        """
        if needed is Role.ANYONE:
            return
        role = self._role(authorization)
        if role is None:
            raise HTTPException(401, detail="a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        if role < needed:
            raise HTTPException(403, detail=f"role {needed.name.lower()} is needed, was {role.name.lower()}")

    def _role(self, authorization: str) -> Role | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        for role, expected in self._tokens:
            if secrets.compare_digest(token.encode(), expected.get_secret_value().encode()):
                return role
        return None
