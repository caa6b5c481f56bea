"""What a page says where the platform says no, or nothing at all."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.ops.board.pages import go_to, is_part, page
from services.ops.board.paths import SIGN_IN
from services.ops.errors import FieldError, Refused, Unreachable

_AWAY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_TITLES: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "Sign in first",
    HTTPStatus.FORBIDDEN: "That takes another role",
    HTTPStatus.NOT_FOUND: "There is no such thing",
}


def answer_with_pages(app: FastAPI) -> None:
    """Have pages say what was refused; the API itself raises none of these."""
    app.add_exception_handler(Refused, _on_refusal)
    app.add_exception_handler(Unreachable, _on_absence)


def said(request: Request, status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> HTMLResponse:
    """Return a page, or in one that is open a part of it, that says why there is nothing else."""
    is_away = status in _AWAY
    title = "The platform is away" if is_away else _TITLES.get(status, "The platform says no")
    template = "said.html.j2" if is_part(request) else "refusal.html.j2"
    return page(
        request,
        template,
        status,
        title=title,
        detail=detail,
        errors=errors,
        signs_in=status == HTTPStatus.UNAUTHORIZED,
        is_away=is_away,
    )


def _on_refusal(request: Request, error: Exception) -> Response:
    refused = cast("Refused", error)
    if refused.status == HTTPStatus.UNAUTHORIZED and getattr(request.app.state, "signs_in", False):
        return _to_sign_in(request)
    return said(request, refused.status, refused.detail, refused.errors)


def _to_sign_in(request: Request) -> Response:
    if is_part(request):
        return go_to(SIGN_IN)
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': address})}", HTTPStatus.SEE_OTHER)


def _on_absence(request: Request, error: Exception) -> HTMLResponse:
    return said(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
