"""Fetch what a shard of symbols lacks, store it, and announce what the run concerns."""

import numpy as np

from services.market_data.core.tiers import AGES, Ages
from services.market_data.core.window import sessions_array
from services.market_data.events import fundamentals_updated, prices_updated, profiles_updated, risk_free_rates
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.judgement_repository import JudgementRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.storage.universe_repository import UniverseRepository
from services.market_data.storage.vendor_ledger import asking_for
from services.market_data.updating.actions import tell_actions
from services.market_data.updating.bars import refresh_bars
from services.market_data.updating.companies import refresh_profiles, refresh_statements
from services.market_data.updating.interest import refresh_open_interest
from services.market_data.updating.names import learn_names
from services.market_data.updating.rates import refresh_rates
from shared.clock import SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork


async def fetch_shard(
    event: MarketDataDue, uow: UnitOfWork, *, chain: ProviderChain, clock: SessionClock, ages: Ages = AGES
) -> None:
    """Fetch, store and announce; symbols that are stored already are announced from the store."""
    with asking_for(event.run):
        bars = await refresh_bars(event, uow, chain, clock)
        await learn_names(event, uow, chain)
        await tell_actions(event, uow)
        await refresh_open_interest(event, uow, chain, clock)
        profiles = await refresh_profiles(event, uow, chain, clock, ages)
        statements = await refresh_statements(event, uow, chain, clock)
        rates = await refresh_rates(event, uow, chain, clock)

    run, judgements = event.run, JudgementRepository(uow.connection)
    await judgements.store_silent(event.symbols, last_session=run.last_session, run_id=run.run_id)
    repository = MarketDataRepository(uow.connection)
    own = sessions_array(event.run.first_session, event.run.last_session)
    announced = await repository.load_revised(event.symbols, np.union1d(own, bars.sessions))
    sources = await repository.load_sources(event.symbols)
    unavailable = await repository.load_unavailable(event.symbols)
    inferred = await repository.load_inferred_splits(event.symbols)
    held = await judgements.load_held(event.symbols)

    prices = prices_updated(event, announced, bars, sources=sources, unavailable=unavailable, inferred=inferred)
    uow.emit(
        prices.model_copy(update={"held": tuple(held), "risk_free_rates": risk_free_rates(rates)}),
        profiles_updated(event, profiles, await UniverseRepository(uow.connection).take_untold()),
        fundamentals_updated(event, statements, fetched_at=clock.now()),
    )
