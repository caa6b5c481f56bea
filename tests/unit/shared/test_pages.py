"""Lists in pages: every entry once, a cursor of another list refused."""

from base64 import urlsafe_b64encode
from datetime import date
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI

from shared.openapi import complete
from shared.pages import Page, Paging, Text, paged
from shared.problems import install_problem_handlers

ENTRIES = [(date(2022, 12, day), symbol) for day in (27, 28) for symbol in ("A/B", "B", "É")]
NO_KEYS = (b"\xff", b"7", b'["2022-12-28"]', b'["2022-12-28","\\u0000"]')


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app)
    complete(app)

    @app.get("/things")
    async def list_things(paging: Annotated[Paging, paged(2, most=10)], of: str = "") -> Page[str]:
        after = paging.after(tuple[date, Text]) or (date.min, "")
        found = [entry for entry in ENTRIES if entry > after][: paging.wanted]
        return paging.page(found, lambda entry: f"{of}{entry[0]} {entry[1]}", lambda entry: entry)

    @app.post("/things")
    async def add_thing() -> None: ...

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_links_lead_through_every_entry_once_with_the_same_query(client: httpx.AsyncClient, limit: int) -> None:
    seen, address = [], f"/things?of=%26&limit={limit}"
    while address:
        answer = await client.get(address)
        page: dict[str, Any] = answer.json()
        seen += page["items"]
        address = answer.links.get("next", {}).get("url", "")
        assert (page["next"] is None) == (not address)
        assert len(page["items"]) == limit or not address

    assert seen == [f"&{day} {symbol}" for day, symbol in ENTRIES]


@pytest.mark.parametrize("cursor", ["", "x", "é", *(urlsafe_b64encode(text).decode() for text in NO_KEYS)])
async def test_cursor_that_is_none_of_the_list_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/things", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.cursor")


async def test_wrong_method_is_told_all_that_there_are(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/things")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.headers["content-type"] == "application/problem+json"
