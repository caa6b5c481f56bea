"""How many requests a run needs of a vendor, and how long its plan takes for them."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from services.market_data.core.plans import BY_SESSION, Plan
from services.market_data.core.run_plan import Shard
from shared.calendar import sessions_between

EVENT_SYMBOLS: Final = 50  # whose splits and dividends are asked for at once, where their names are in the URL
VALUED_AT_ONCE: Final = 100  # whose valuations are, by the vendor that gives several
STATEMENT_REQUESTS: Final = {"fmp": 6, "yahooquery": 1}  # of a company: three kinds by quarter and by year, or all
SERIES_REQUESTS: Final = 2  # of interest rates


def bar_requests(
    vendor: str, plan: Plan, shards: Sequence[Shard], *, waiting: int, known: frozenset[date] = frozenset()
) -> int:
    """Return how many requests the bars of a run need, where this vendor has all of them.

    Parameters
    ----------
    vendor : str
    plan : Plan
    shards : sequence of Shard
    waiting : int
        How many symbols nobody has answered about: they wait for the same sessions of the whole market.
    known : frozenset of date
        Sessions of the whole market that were answered before.
    """
    asked = [(shard, *_span(shard, plan)) for shard in shards if shard.fetch_first is not None]
    if vendor not in BY_SESSION:
        return sum(len(shard.symbols) for shard, _, _ in asked)
    sessions: set[date] = set()
    months: set[tuple[int, int]] = set()
    singles = 0
    for shard, first, last in asked:
        days = sessions_between(first, last)
        unknown = [day for day in days if day not in known]
        if len(unknown) <= max(len(shard.symbols), waiting):
            sessions.update(unknown)
            months.update((day.year, day.month) for day in days)
        else:
            singles += len(shard.symbols) + 2 * math.ceil(len(shard.symbols) / EVENT_SYMBOLS)
    return len(sessions) + 2 * len(months) + singles


def profile_requests(vendor: str, symbols: Sequence[int]) -> int:
    """Return how many requests the profiles of shards of so many symbols need at most."""
    if vendor == "fmp":
        return sum(symbols) + (1 if any(symbols) else 0)  # and the calendar of earnings
    return sum(symbols) + sum(math.ceil(each / VALUED_AT_ONCE) for each in symbols)


def statement_requests(vendor: str, symbols: int) -> int:
    """Return how many requests the statements of so many companies need."""
    return STATEMENT_REQUESTS[vendor] * symbols


def duration(plan: Plan, requests: int) -> timedelta:
    """Return how long a plan takes for so many requests, one after the other, at least."""
    windows = [
        math.ceil(requests / window.requests - 1) * window.seconds
        for window in plan.windows
        if requests > window.requests
    ]
    return timedelta(seconds=max(windows, default=0.0))


def _span(shard: Shard, plan: Plan) -> tuple[date, date]:
    first, last = shard.fetch_first, shard.fetch_last
    if first is None or last is None:
        raise ValueError("shard must have something to fetch, had nothing")
    reached = date.min if plan.history_days is None else last - timedelta(days=plan.history_days)
    return max(first, reached), last
