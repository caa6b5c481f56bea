"""Plan a run: what is missing per symbol, cut into shards."""

from datetime import date

import numpy as np

from services.market_data.core.run_plan import Shard, pack_shards, plan_symbols
from services.market_data.core.window import planning_window
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import Kind
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.onboarding_repository import OnboardingLimits, OnboardingRepository
from services.market_data.storage.repository import MarketDataRepository
from shared.contracts.event import Event
from shared.contracts.market_data import MarketDataDue
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import Part, Run
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet


async def plan_run(
    event: Event, uow: UnitOfWork, *, factor_set: FactorSet, chain: ProviderChain, onboardings: OnboardingLimits
) -> None:
    """Find what each symbol of the run lacks and hand it out in shards; the proxies always belong to the run.

    What a service asks for, an onboarding, waits its turn.
    """
    run = event.run
    repository = MarketDataRepository(uow.connection)
    await repository.store_instruments(sorted({*(run.symbols or ()), *factor_set.tickers()}))
    await AttemptRepository(uow.connection).forget_old()
    scope = await repository.list_symbols() if run.symbols is None else (*run.symbols, *factor_set.tickers())
    symbols = sorted(set(scope))
    opened_on = event.opened_on if isinstance(event, SymbolsOnboarding) else None
    window = planning_window(run.first_session, run.last_session, opened_on=opened_on)
    settled = await repository.load_settled(symbols, edition=await chain.edition(Kind.BARS))
    stored = await repository.load_stored(symbols, window, settled)
    # Another edition of the providers may hold corrected bars of the sessions that are run again.
    unsettled, own = np.isnat(settled.through), window >= np.datetime64(run.first_session, "D")
    stored &= ~(unsettled[:, None] & own)

    plan = plan_symbols(symbols, window, stored, settled)
    shards = pack_shards(plan, run.first_session)

    kept_since = window[0].item()
    due = [_due(run, Part(index=index, total=len(shards)), shard, kept_since) for index, shard in enumerate(shards)]
    if isinstance(event, SymbolsOnboarding):
        waiting = OnboardingRepository(uow.connection)
        await waiting.append_onboarding(run.run_id, due)
        due = await waiting.begin_waiting(onboardings)
    uow.emit(*due)


def _due(run: Run, part: Part, shard: Shard, kept_since: date) -> MarketDataDue:
    return MarketDataDue(
        # The first part names the portfolios, for the barrier before their valuation.
        run=run.leaving_unsaid("symbols") if part.index == 0 else run.leaving_unsaid("symbols", "portfolio_ids"),
        part=part,
        subjects=len(shard.symbols),
        symbols=shard.symbols,
        fetch_first=shard.fetch_first,
        fetch_last=shard.fetch_last,
        kept_since=kept_since,
    )
