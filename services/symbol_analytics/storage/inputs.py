"""What the estimates of a shard need: how many sessions before each as_of, and the windows cut from the panel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from services.symbol_analytics.core.analysis import ShardPrices
from services.symbol_analytics.core.taints import Taint
from shared.arrays import DateArray
from shared.calendar import sessions_between
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.conventions import FACTOR_WINDOW
from shared.factor_set import FactorSet
from shared.prices.held import Held, load_held, taint_of
from shared.prices.panel import PricePanel
from shared.prices.window import PriceWindow

# The one-year return reaches back 366 days and up to five sessions more: 258 sessions; the regressions need 253.
SESSIONS_NEEDED = FACTOR_WINDOW + 13


@dataclass(frozen=True, slots=True)
class ShardWindow:
    """The prices of a shard up to its last as_of; after the symbols come the proxies."""

    prices: PriceWindow
    as_ofs: tuple[date, ...]
    proxies: tuple[str, ...]
    held: Mapping[str, Sequence[Held]]

    def at_each_session(self) -> Iterator[ShardPrices]:
        """Yield for every as_of the prices that it may see."""
        prices, n_symbols = self.prices, len(self.prices.symbols) - len(self.proxies)
        last = len(prices.sessions)
        for stop in range(last - len(self.as_ofs) + 1, last + 1):
            rows = slice(stop - SESSIONS_NEEDED, stop)
            days = prices.sessions[rows]
            yield ShardPrices(
                sessions=days,
                close=prices.close[rows, :n_symbols],
                adjusted=prices.adjusted[rows, :n_symbols],
                split=prices.split[rows, :n_symbols],
                proxies={ticker: prices.adjusted[rows, n_symbols + index] for index, ticker in enumerate(self.proxies)},
                taints=[_taint(symbol, self.held.get(symbol, ()), days) for symbol in prices.symbols[:n_symbols]],
            )


async def load_window(
    connection: AsyncConnection, panel: PricePanel, due: SymbolAnalyticsDue, factor_set: FactorSet
) -> ShardWindow:
    """Return the prices that the estimates of a shard need, and what is held of the symbols' closes."""
    await panel.refresh()
    first, last = due.first_session or due.run.first_session, due.last_session or due.run.last_session
    as_ofs, proxies = tuple(sessions_between(first, last)), factor_set.tickers()
    needed = SESSIONS_NEEDED + len(as_ofs) - 1
    prices = panel.window((*due.symbols, *proxies), last=last, sessions=needed)
    held = await load_held(connection, due.symbols, first=prices.sessions[0].item(), last=last)
    return ShardWindow(_reaching_back(prices, needed), as_ofs, proxies, held)


def _reaching_back(prices: PriceWindow, needed: int) -> PriceWindow:
    # Before the calendar begins nobody has a price: there the rows are blank, and too short a history says so itself.
    absent = needed - len(prices.sessions)
    if absent <= 0:
        return prices
    days = prices.sessions[0] - np.arange(absent, 0, -1).astype("timedelta64[D]")
    above = ((absent, 0), (0, 0))
    return replace(
        prices,
        sessions=np.concatenate([days, prices.sessions]),
        close=np.pad(prices.close, above, constant_values=np.nan),
        adjusted=np.pad(prices.adjusted, above, constant_values=np.nan),
        split=np.pad(prices.split, above, constant_values=1.0),
        dividend=np.pad(prices.dividend, above, constant_values=0.0),
    )


def _taint(symbol: str, held: Sequence[Held], days: DateArray) -> Taint | None:
    inside = [entry for entry in held if days[0] <= np.datetime64(entry.session, "D") <= days[-1]]
    if not inside:
        return None
    age = len(days) - 1 - int(np.searchsorted(days, np.datetime64(inside[-1].session, "D")))
    return Taint(taint_of(symbol, inside), age)
