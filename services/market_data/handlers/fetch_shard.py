"""Fetch what a shard of symbols lacks, store it, and announce what the run concerns."""

from dataclasses import replace

import numpy as np

from services.market_data.core.corrections import corrected_spans
from services.market_data.core.window import planning_window, sessions_array
from services.market_data.events import fundamentals_updated, prices_updated, profiles_updated
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import Kind
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.updating.bars import Fetched, Span, changed_sessions, fetch_checked, restated_symbols
from services.market_data.updating.companies import refresh_profiles, refresh_statements
from shared.calendar import last_closed_session
from shared.clock import Clock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork


async def fetch_shard(event: MarketDataDue, uow: UnitOfWork, *, chain: ProviderChain, clock: Clock) -> None:
    """Fetch, store and announce; symbols that are stored already are announced from the store."""
    repository = MarketDataRepository(uow.connection)
    sessions = sessions_array(event.run.first_session, event.run.last_session)
    fetched = Fetched(sessions, None, ())

    if event.fetch_first is not None:
        fetched = await _fetch_bars(event, repository, chain, clock)
    profiles = await refresh_profiles(event, uow, chain, clock)
    statements = await refresh_statements(event, uow, chain, clock)

    announced = await repository.load_bars(event.symbols, np.union1d(sessions, fetched.sessions))
    sources = await repository.load_sources(event.symbols)
    unavailable = await repository.load_unavailable(event.symbols)

    uow.emit(
        prices_updated(event, announced, fetched, sources=sources, unavailable=unavailable),
        profiles_updated(event, profiles),
        fundamentals_updated(event, statements, fetched_at=clock.now()),
    )


async def _fetch_bars(
    event: MarketDataDue, repository: MarketDataRepository, chain: ProviderChain, clock: Clock
) -> Fetched:
    window = planning_window(event.run.first_session, event.run.last_session)
    span = Span(
        first=event.fetch_first or window[0].item(),
        last=event.fetch_last or window[-1].item(),
        newest=last_closed_session(clock.now()),
    )
    edition = await chain.edition(Kind.BARS)
    fetched = await fetch_checked(chain, repository, event.symbols, span)
    stored = await repository.load_bars(event.symbols, fetched.bars.sessions)
    restated = restated_symbols(fetched, stored, await repository.load_sources(event.symbols))
    continued = fetched.bars.select([symbol for symbol in fetched.bars.symbols if symbol not in restated])
    changed = changed_sessions(continued, stored)
    corrected = corrected_spans(stored, continued, before=event.run.first_session)

    # Of a restated symbol only the whole fetch is kept: it may be another provider's, on another basis.
    parts = [replace(fetched, bars=continued)]
    if restated:
        # Beyond the window, too: a bar left on the old basis would make a false return where the two meet.
        first, last = await repository.load_extent(restated)
        whole = replace(span, first=min(first, window[0].item()), last=max(last, span.last))
        parts.append(await fetch_checked(chain, repository, restated, whole))
        before = await repository.load_bars(restated, parts[1].bars.sessions)
        corrected += corrected_spans(before, parts[1].bars, before=event.run.first_session)
    for part in parts:
        await repository.store_bars(part.bars, source=part.source, fetched_at=clock.now())
        await repository.store_findings(part.findings, run_id=event.run.run_id)

    unavailable = {symbol: why for part in parts for symbol, why in part.unavailable.items()}
    undecided = frozenset[str]().union(*(part.undecided for part in parts))
    settled = np.array([symbol not in undecided for symbol in event.symbols])
    checked = (await repository.load_checked(event.symbols, edition=edition)).after(window, settled)
    await repository.store_checked(event.symbols, checked, unavailable, edition=edition)
    return Fetched(changed, parts[1].bars if restated else None, corrected)
