"""Plan a run: what is missing per symbol, cut into shards."""

from collections.abc import Mapping
from datetime import date

from services.market_data.core.plans import Plan
from services.market_data.core.run_plan import Shard
from services.market_data.core.window import planning_window
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.holding_repository import HoldingRepository
from services.market_data.storage.onboarding_repository import OnboardingLimits, OnboardingRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.storage.request_repository import RequestRepository
from services.market_data.updating.planning import estimate_requests, plan_shards
from shared.contracts.event import Event
from shared.contracts.market_data import MarketDataDue
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import Part, Run
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet


async def plan_run(
    event: Event,
    uow: UnitOfWork,
    *,
    factor_set: FactorSet,
    chain: ProviderChain,
    plans: Mapping[str, Plan],
    onboardings: OnboardingLimits,
) -> None:
    """Find what each symbol of the run lacks and hand it out in shards; the proxies always belong to the run.

    What a service asks for, an onboarding, waits its turn.
    """
    run = event.run
    repository = MarketDataRepository(uow.connection)
    await repository.store_instruments(sorted({*(run.symbols or ()), *factor_set.tickers()}))
    await AttemptRepository(uow.connection).forget_old()
    onboarding = event if isinstance(event, SymbolsOnboarding) else None
    if onboarding is not None and onboarding.portfolio_id is not None:
        await HoldingRepository(uow.connection).replace_holdings(onboarding.portfolio_id, onboarding.holdings)
    scope = await repository.list_symbols() if run.symbols is None else run.symbols
    opened_on = None if onboarding is None else onboarding.opened_on
    window = planning_window(run.first_session, run.last_session, opened_on=opened_on)

    planned = await plan_shards(
        uow.connection, chain, scope, factor_set, window=window, first_session=run.first_session
    )
    estimates = await estimate_requests(planned, uow.connection, chain, plans, until=run.last_session)
    await RequestRepository(uow.connection).store_estimates(run.run_id, estimates)

    shards = planned.shards
    kept_since = window[0].item()
    due = [_due(run, Part(index=index, total=len(shards)), shard, kept_since) for index, shard in enumerate(shards)]
    if onboarding is not None:
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
