"""Pages: a template and what it shows, with the headers that keep everything else out."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Generic, TypedDict
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from services.ops.board import wording
from services.ops.board.paths import ADMINISTRATORS_NAVIGATION, NAVIGATION, OWNERS_NAVIGATION
from services.ops.client.answers.pages import Entry, Page
from shared.auth import caller_of
from shared.principal import Principal, Role
from shared.printable import printable

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
# Where the files are served from that pages load.
ASSETS: Final = "/assets"

# Scripts and styles are our files alone: what somebody gets into a page as text is never run.
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# htmx without what the headers forbid: it writes no styles and evaluates nothing. What is refused has its place.
_HTMX: Final = json.dumps(
    {
        "allowEval": False,
        "includeIndicatorStyles": False,
        "historyCacheSize": 0,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": True, "target": "#said", "swapOverride": "innerHTML"},
        ],
    }
)


class Shown(TypedDict, Generic[Entry]):
    """A page of a list, with the addresses of the first one, from another, and of the next one."""

    items: list[Entry]
    first: str | None
    following: str | None


class Assets(StaticFiles):
    """The files that pages load; their addresses change with them, so that they may be kept."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Return a file, to be kept for a year."""
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def page(request: Request, template: str, status: int = 200, /, **shown: Any) -> HTMLResponse:
    """Return a page, or a part of one, by its template."""
    about = {"path": request.url.path, "person": person(request), "navigation": _navigation(request)}
    return HTMLResponse(_templates().get_template(template).render(**about, **shown), status, _HEADERS)


def _navigation(request: Request) -> tuple[tuple[str, str], ...]:
    caller = caller_of(request)
    if caller is None:
        return NAVIGATION
    return {Role.OWNER: OWNERS_NAVIGATION, Role.ADMIN: ADMINISTRATORS_NAVIGATION}.get(caller.role, NAVIGATION)


def is_owner(request: Request) -> bool:
    """Tell whether somebody may see their own portfolios and nothing that is about all of them."""
    caller = caller_of(request)
    return caller is not None and caller.role is Role.OWNER


def person(request: Request) -> Principal | None:
    """Return who has signed in; None for programs."""
    caller = caller_of(request)
    return caller if caller is not None and caller.csrf is not None else None


def page_of(request: Request, found: Page[Entry]) -> Shown[Entry]:
    """Return a page of a list with the addresses of others, which ask for the same."""
    asked = {name: text for name, text in request.query_params.items() if name != "cursor"}
    following = f"?{urlencode({**asked, 'cursor': found['next']})}" if found["next"] else None
    first = f"?{urlencode(asked)}" if "cursor" in request.query_params else None
    return {"items": found["items"], "first": first, "following": following}


def go_to(address: str) -> Response:
    """Have the browser leave for another page, when something was done."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": address})


def is_part(request: Request) -> bool:
    """Tell whether a part of a page is asked for, which goes where that was."""
    return "hx-request" in request.headers


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_shown,
    )
    found.globals |= {"asset": _asset, "htmx_config": _HTMX}
    found.filters |= wording.FILTERS
    return found


def _shown(value: object) -> object:
    # What turns the direction of writing would have a page say what it doesn't.
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> str:
    return f"{ASSETS}/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
