"""What a run lacks, cut into shards, and how many requests that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.estimates import SERIES_REQUESTS, bar_requests, profile_requests, statement_requests
from services.market_data.core.plans import Plan
from services.market_data.core.priorities import in_order
from services.market_data.core.refresh import statements_due
from services.market_data.core.run_plan import NOTHING_TO_FETCH, RunPlan, Shard, pack_shards, plan_symbols
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import Kind
from services.market_data.storage.fundamentals_repository import FundamentalsRepository
from services.market_data.storage.holding_repository import HoldingRepository
from services.market_data.storage.repository import MarketDataRepository
from shared.arrays import DateArray
from shared.factor_set import FactorSet


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """The shards of a run, and how many of its symbols nobody has answered about."""

    shards: tuple[Shard, ...]
    waiting: int


async def plan_shards(
    connection: AsyncConnection,
    chain: ProviderChain,
    scope: Sequence[str],
    factor_set: FactorSet,
    *,
    window: DateArray,
    first_session: date,
) -> PlannedRun:
    """Return what each symbol lacks, what matters most first."""
    symbols = sorted({*scope, *factor_set.tickers()})
    plan, waiting = await _lacked(connection, chain, symbols, window, first_session)
    held = await HoldingRepository(connection).load_held(symbols)
    order = in_order(symbols, proxies=factor_set.tickers(), held=held)
    return PlannedRun(pack_shards(plan, first_session, order), waiting)


async def still_lacking(
    connection: AsyncConnection, chain: ProviderChain, symbols: Sequence[str], window: DateArray, first_session: date
) -> list[str]:
    """Return which symbols of a shard lack something now: another run may have fetched them since it was planned."""
    plan, _ = await _lacked(connection, chain, symbols, window, first_session)
    lacking = {symbol for symbol, begin in zip(plan.symbols, plan.fetch_from, strict=True) if begin != NOTHING_TO_FETCH}
    return [symbol for symbol in symbols if symbol in lacking]


async def _lacked(
    connection: AsyncConnection, chain: ProviderChain, symbols: Sequence[str], window: DateArray, first_session: date
) -> tuple[RunPlan, int]:
    repository = MarketDataRepository(connection)
    settled = await repository.load_settled(symbols, edition=await chain.edition(Kind.BARS))
    stored = await repository.load_stored(symbols, window, settled)
    # Another edition of the providers may hold corrected bars of the sessions that are run again.
    unsettled, own = np.isnat(settled.through), window >= np.datetime64(first_session, "D")
    stored &= ~(unsettled[:, None] & own)
    return plan_symbols(symbols, window, stored, settled), int(unsettled.sum())


async def estimate_requests(
    planned: PlannedRun, connection: AsyncConnection, chain: ProviderChain, plans: Mapping[str, Plan], *, until: date
) -> dict[str, int]:
    """Return how many requests a run up to a session needs of each vendor that is asked first, where it has everything.

    At most, where it is in the night after the session.
    """
    symbols = [symbol for shard in planned.shards for symbol in shard.symbols]
    estimates: dict[str, int] = {}
    for kind in Kind:
        vendor = chain.first(kind)
        if vendor is None or vendor not in plans:
            continue
        if kind is Kind.BARS:
            count = bar_requests(vendor, plans[vendor], planned.shards, waiting=planned.waiting)
        elif kind is Kind.PROFILES:
            count = profile_requests(vendor, [len(shard.symbols) for shard in planned.shards])
        elif kind is Kind.STATEMENTS:
            last, edition = await FundamentalsRepository(connection).load_last_asked(symbols), await chain.edition(kind)
            night = until + timedelta(days=1)
            due = [
                statements_due(entry.asked, edition=edition, earnings=entry.earnings, today=night)
                for entry in last.values()
            ]
            count = statement_requests(vendor, sum(due))
        else:
            count = SERIES_REQUESTS
        estimates[vendor] = estimates.get(vendor, 0) + count
    return estimates
