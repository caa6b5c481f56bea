"""What the estimates of a shard need: how many sessions before each as_of, and the windows cut from the panel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from shared.calendar import sessions_between
from shared.contracts.run import Run
from shared.conventions import FACTOR_WINDOW
from shared.prices.panel import PricePanel, PriceWindow

# The one-year return reaches back 366 days and up to five sessions more: 258 sessions; the regressions need 253.
SESSIONS_NEEDED = FACTOR_WINDOW + 13


@dataclass(frozen=True, slots=True)
class ShardWindow:
    """The prices of a shard up to the last as_of of a run."""

    prices: PriceWindow
    as_ofs: tuple[date, ...]

    def at_each_session(self) -> Iterator[tuple[date, slice]]:
        """Yield every as_of with the rows of the prices that it may see."""
        count = len(self.prices.sessions)
        for index, as_of in enumerate(self.as_ofs):
            stop = count - (len(self.as_ofs) - 1 - index)
            yield as_of, slice(stop - SESSIONS_NEEDED, stop)


async def load_window(panel: PricePanel, symbols: Sequence[str], run: Run) -> ShardWindow:
    """Return the prices of the symbols that the run's estimates need."""
    await panel.refresh()
    as_ofs = tuple(sessions_between(run.first_session, run.last_session))
    prices = panel.window(symbols, last=run.last_session, sessions=SESSIONS_NEEDED + len(as_ofs) - 1)
    return ShardWindow(prices, as_ofs)
