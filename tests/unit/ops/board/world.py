"""A platform of stored answers, and its pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
from fastapi import FastAPI

from services.ops.board.routes import board_alone
from shared.paths import API

HOSTILE = "<script>alert('x')</script>\" onload=\"x"
VOID = {"meta", "link", "img", "input", "br", "hr"}

# A status and a body, or what makes them of a request.
Stored = tuple[int, Any] | Callable[[httpx.Request], tuple[int, Any]]


@dataclass
class World:
    """What a platform answers by route, and what it was asked."""

    stored: Mapping[str, Any]
    asked: list[httpx.Request] = field(default_factory=list)

    def pages(self, prepare: Callable[[FastAPI], None] = lambda app: None) -> httpx.AsyncClient:
        """Return a browser of its pages, as far as one is needed."""
        app = board_alone("http://platform")
        prepare(app)
        app.state.platform = httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://platform")
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        name = f"{request.method} {request.url.path.removeprefix(API)}"
        found = self.stored.get(name, (404, {"detail": f"nothing is stored for {name}"}))
        status, body = found(request) if callable(found) else found
        return httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)

    def sent(self, name: str) -> list[httpx.Request]:
        """Return what was asked of a route."""
        return [each for each in self.asked if f"{each.method} {each.url.path.removeprefix(API)}" == name]


class _Structure(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        self.wrong += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        if tag == "script" and "src" not in names:
            self.wrong.append("a script within the page")
        if tag == "style":
            self.wrong.append("a style within the page")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> ends something else")


def wrongs_of(page: str) -> list[str]:
    """Return what a page must not have: tags that don't end, scripts and styles within it."""
    found = _Structure()
    found.feed(page)
    found.close()
    return [*found.wrong, *(f"<{tag}> doesn't end" for tag in found.open if tag not in {"rect", "path"})]
