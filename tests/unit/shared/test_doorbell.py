import asyncio
from typing import Any

import pytest

from shared.bus import doorbell
from shared.bus.doorbell import set_within

ENOUGH_TURNS = 20


async def _waits_for_ever(event: asyncio.Event) -> None:
    while True:
        await set_within(event, 3600.0)
        event.clear()


@pytest.mark.parametrize("turns", range(5))
async def test_who_is_cancelled_while_what_it_waits_for_is_set_is_cancelled(turns: int) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(_waits_for_ever(event))
    for _ in range(ENOUGH_TURNS):
        await asyncio.sleep(0)

    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(ENOUGH_TURNS):
        await asyncio.sleep(0)

    assert waiting.cancelled()


async def test_what_is_not_set_in_time_is_not_set() -> None:
    assert not await set_within(asyncio.Event(), 0.0)


class _Nobody:
    """A consumer that has no partitions."""

    def assignment(self) -> frozenset[Any]:
        return frozenset()

    def pause(self) -> None: ...

    def resume(self) -> None: ...


async def test_looks_get_rarer_while_nobody_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    rung, pauses = asyncio.Event(), []

    async def passes(_event: asyncio.Event, seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 7:
            rung.set()
        return rung.is_set()

    monkeypatch.setattr(doorbell, "set_within", passes)
    await doorbell._rest(_Nobody(), rung)

    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
