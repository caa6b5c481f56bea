"""Two computations of one result, the one before a correction and the one that it asks for, in any order."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import permutations
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.prices.panel import PricePanel
from tests.support.eventually import eventually

Step = Literal["old reads", "old stores", "corrected", "new reads", "new stores"]
Order = tuple[Step, ...]
_STEPS: Final[Order] = ("old reads", "old stores", "corrected", "new reads", "new stores")
# Who reads stores afterwards, and the correction is there before it is computed with.
ORDERS: Final[tuple[Order, ...]] = tuple(
    order
    for order in permutations(_STEPS)
    if order.index("old reads") < order.index("old stores")
    and order.index("corrected") < order.index("new reads") < order.index("new stores")
)

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class HeldPanel(PricePanel):
    """The panel of a process that is slow: it has read, and goes on when it is let."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.has_read = asyncio.Event()
        self.let_go = asyncio.Event()

    async def refresh(self) -> None:
        """Read, and wait."""
        await super().refresh()
        self.has_read.set()
        await self.let_go.wait()


async def interleave(
    order: Order,
    engine: AsyncEngine,
    *,
    compute: Callable[[Literal["old", "new"], PricePanel], Awaitable[None]],
    correct: Callable[[], Awaitable[None]],
) -> None:
    """Do the steps in this order, as far as the one who waits for a lock lets it be."""
    panels = {"old": HeldPanel(engine), "new": HeldPanel(engine)}
    tasks: dict[str, asyncio.Future[None]] = {}
    for step in order:
        who, _, does = step.partition(" ")
        match does:
            case "reads":
                panel = panels[who]
                tasks[who] = asyncio.ensure_future(compute("old" if who == "old" else "new", panel))
                await eventually(partial(_has_read_or_waits, engine, panel, tasks[who]))
            case "stores":
                panels[who].let_go.set()
                if panels[who].has_read.is_set():
                    await asyncio.wait([tasks[who]])
            case _:
                await correct()
    await asyncio.gather(*tasks.values())


async def _has_read_or_waits(engine: AsyncEngine, panel: HeldPanel, task: "asyncio.Future[None]") -> bool:
    if panel.has_read.is_set() or task.done():
        return True
    async with engine.connect() as connection:
        return bool(await connection.scalar(WAITING))
