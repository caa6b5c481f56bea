"""The pages of the platform, added to an application; the API keeps every other path."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse

from services.ops.board import (
    audit,
    backfills,
    letters,
    overview,
    portfolios,
    quality,
    readiness,
    runs,
    schedule,
    system,
)
from services.ops.board.caller import know_platform
from services.ops.board.pages import ASSETS, Assets, is_part
from services.ops.board.paths import PAGES
from services.ops.board.refusals import answer_with_pages, said
from services.ops.errors import Refused
from shared.auth import SAFE


def add_pages(app: FastAPI, platform: str) -> None:
    """Add the pages to an application; they read the platform at an address, which may be its own."""
    know_platform(app, platform)
    answer_with_pages(app)
    app.mount(ASSETS, Assets())
    for room in (overview, portfolios, runs, schedule, backfills, letters, quality, readiness, system, audit):
        app.include_router(room.router, include_in_schema=False, dependencies=[Depends(_asked_by_a_page)])
    app.include_router(_others(), include_in_schema=False)


def board_alone(platform: str) -> FastAPI:
    """Return an application that has the pages of a platform and nothing else; it holds no token."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    # Nothing of it goes on for ever, and nothing gives up.
    app.state.closing, app.state.given_up = [], []
    add_pages(app, platform)

    @app.get("/health/live")
    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


def _asked_by_a_page(request: Request) -> None:
    # A form of another site cannot say so, also where a proxy adds the caller's token.
    if request.method not in SAFE and not is_part(request):
        raise Refused(HTTPStatus.FORBIDDEN, "only a page of ours asks for that: open it again")


def _others() -> APIRouter:
    router = APIRouter()

    @router.get(PAGES + "/{path:path}", response_class=HTMLResponse)
    def no_page(request: Request, path: str) -> HTMLResponse:
        return said(request, HTTPStatus.NOT_FOUND, f"there is no page {path}")

    return router
