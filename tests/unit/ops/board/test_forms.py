"""What pages read of forms: so much and no more, whatever their headers say, and only from pages of ours."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared import bodies
from tests.unit.ops.board.stored import everything
from tests.unit.ops.board.world import World

ADDRESS = "/pages/schedule/pause"
OURS = {"HX-Request": "true"}
MOST, PIECE = 64 * 1024, 16 * 1024


class Pieces:
    """A body that is counted as it is taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(100):
            self.taken += PIECE
            yield b"x" * PIECE


async def _post(headers: dict[str, str], content: AsyncIterator[bytes]) -> tuple[httpx.Response, World]:
    world = World(everything())
    async with world.pages() as browser:
        return await browser.post(ADDRESS, content=content, headers={**OURS, **headers}), world


@pytest.mark.parametrize("length", [{}, {"Content-Length": "5"}, {"Content-Length": "x"}], ids=["none", "lie", "text"])
async def test_form_is_read_to_its_limit_whatever_it_says_of_itself(length: dict[str, str]) -> None:
    pieces = Pieces()
    answer, world = await _post(length, aiter(pieces))
    assert (answer.status_code, "at most 65536 bytes" in answer.text) == (413, True)
    assert pieces.taken <= MOST + PIECE
    assert world.asked == []


async def test_form_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.01)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    answer, world = await _post({"Content-Length": "60000"}, never())
    assert (answer.status_code, world.asked) == (408, [])


async def test_form_of_another_site_asks_the_platform_nothing() -> None:
    world = World(everything())
    async with world.pages() as browser:
        for headers in ({}, {"Authorization": "Bearer mine"}):
            answer = await browser.post(ADDRESS, data={"why": "x"}, headers=headers)
            assert (answer.status_code, "only a page of ours" in answer.text) == (403, True)
    assert world.asked == []
