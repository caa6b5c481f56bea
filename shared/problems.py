"""Errors over HTTP: problem+json (RFC 9457) with the field and the reason, never a stack."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Self

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.db.keyed_requests import IdempotencyKeyReused
from shared.errors import DRIVER_ERRORS, is_transient

log = structlog.get_logger("problems")


class Problem(Exception):
    """A refusal that says which field is wrong and why."""

    def __init__(
        self, status: int, detail: str, *, errors: list[dict[str, Any]] | None = None, retry_after_s: int | None = None
    ) -> None:
        self.status = status
        self.errors = errors or []
        self.retry_after_s = RETRY_AFTER_S if retry_after_s is None and status in _PASSING else retry_after_s
        super().__init__(detail)

    @classmethod
    def of_field(cls, field: str, reason: str) -> Self:
        """Return the refusal of one field."""
        return cls(422, f"{field} {reason}", errors=[{"field": field, "reason": reason}])


PROBLEM_TYPE: Final = "application/problem+json"
MAX_LISTED: Final = 100
# A database that is started again takes some seconds.
RETRY_AFTER_S: Final = 5
# Refusals that are none a little later.
_PASSING: Final = frozenset({429, 503})

# What each error of a service's use cases is over HTTP.
Problems = Mapping[type[Exception], Callable[[Any], Problem]]


def _of_key(error: Any) -> Problem:
    return Problem(409, str(error), errors=[{"field": "Idempotency-Key", "reason": str(error)}])


_OF_EVERY_SERVICE: Final[Problems] = {IdempotencyKeyReused: _of_key}


def respond(status: int, detail: str, errors: list[dict[str, Any]], headers: Any = None) -> JSONResponse:
    """Return a problem over HTTP; of very many errors the first ones, and how many more there are."""
    omitted = len(errors) - MAX_LISTED
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{detail}; {omitted} more than the {MAX_LISTED} listed" if omitted > 0 else detail,
    }
    if errors:
        body["errors"] = errors[:MAX_LISTED]
    return JSONResponse(body, status_code=status, media_type=PROBLEM_TYPE, headers=headers)


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    headers = None if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return respond(error.status, str(error), error.errors, headers)


async def _on_refusal(problem_of: Callable[[Any], Problem], request: Request, error: Exception) -> JSONResponse:
    return await _on_problem(request, problem_of(error))


async def _on_http_exception(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return respond(error.status_code, str(error.detail), [], error.headers)


async def _on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return respond(422, "the request is not valid", [_refusal(item) for item in error.errors()])


def _refusal(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["type"] == "json_invalid":
        *_, at = item["loc"]
        return {"field": "body", "reason": f"is no JSON at character {at}: {item['ctx']['error']}"}
    return {"field": ".".join(str(step) for step in item["loc"]), "reason": item["msg"]}


async def _on_absence(request: Request, error: Exception) -> JSONResponse:
    if not is_transient(error):
        raise error
    log.warning("no database", method=request.method, path=request.url.path, error=repr(error))
    detail = "the database cannot be reached, or is too busy; nothing was done: try again"
    return respond(503, detail, [], {"Retry-After": str(RETRY_AFTER_S)})


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return respond(500, "the request could not be served; the cause is in the log", [])


class _RefusingNul:
    """Refuses NUL in addresses and queries: no text of the database can hold it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 422, or pass the request on."""
        field = _field_with_nul(Request(scope)) if scope["type"] == "http" else None
        if field is None:
            await self._app(scope, receive, send)
            return
        errors = [{"field": field, "reason": "must not contain NUL characters"}]
        await respond(422, "the request is not valid", errors)(scope, receive, send)


def _field_with_nul(request: Request) -> str | None:
    if "\0" in request.scope["path"]:
        return "path"
    return next((f"query.{name}" for name, text in request.query_params.multi_items() if "\0" in name + text), None)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app as problem+json."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_unexpected)
    for absence in (DBAPIError, PoolTimeout, *DRIVER_ERRORS, OSError):
        app.add_exception_handler(absence, _on_absence)
    app.add_middleware(_RefusingNul)
    answer_with_problems(app, _OF_EVERY_SERVICE)


def answer_with_problems(app: FastAPI, problems: Problems) -> None:
    """Answer the errors of use cases with the problems that they are."""
    for error_type, problem_of in problems.items():
        app.add_exception_handler(error_type, partial(_on_refusal, problem_of))
