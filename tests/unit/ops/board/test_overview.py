"""The first page."""

from typing import Any

from tests.unit.ops.board.world import HOSTILE, World, wrongs_of

RUN = {
    "run": {
        "run_id": "3f2504e0-4f89-51d3-9a0c-0305e82c3301",
        "kind": "nightly",
        "first_session": "2022-12-27",
        "last_session": "2022-12-28",
        "requested_by": HOSTILE + "\u202e",
    },
    "status": "completed",
    "requested_at": "2022-12-28T22:00:00Z",
}


def _world(**health: Any) -> World:
    return World(
        {
            "GET /health/ready": health.get("ready", (200, {"status": "ready"})),
            "GET /runs": (200, {"items": [RUN], "next": None}),
        }
    )


async def test_board_lists_the_latest_runs_and_escapes_what_others_wrote() -> None:
    async with _world().pages() as browser:
        page = (await browser.get("/")).text
    assert wrongs_of(page) == []
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    # What turns the direction of writing stands as its code.
    assert "\u202e" not in page
    assert "\\u202e" in page
    assert "2022-12-27 to 2022-12-28" in page
    assert 'class="state completed"' in page


async def test_board_says_what_keeps_the_platform_from_working_and_what_does_not() -> None:
    async with _world(ready=(503, {"detail": "risk has no database"})).pages() as browser:
        assert "risk has no database" in (await browser.get("/")).text
    async with _world(ready=(200, {"status": "ready", "remarks": "fmp is not asked"})).pages() as browser:
        assert "fmp is not asked" in (await browser.get("/")).text
