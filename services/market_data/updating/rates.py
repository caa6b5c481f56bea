"""Interest rates: those that are due, fetched and stored once a run."""

from collections.abc import Mapping
from datetime import date

from services.market_data.core.rates import RISK_FREE_SERIES, SERIES, first_to_ask
from services.market_data.core.window import planning_window
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import Kind
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.rate_repository import RateRepository
from services.market_data.storage.repository import MarketDataRepository
from shared.clock import Clock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork


async def refresh_rates(
    event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: Clock
) -> Mapping[date, float]:
    """Fetch and store the series that are due with the first part, and return the risk-free rates that were given."""
    if event.part.index > 0 or not chain.asks_for(Kind.RATES):
        return {}
    repository, run, now = RateRepository(uow.connection), event.run, clock.now()
    since = event.kept_since or planning_window(run.first_session, run.last_session)[0].item()
    known = await repository.load_asked()
    due = {
        name: first
        for name in SERIES
        if (first := first_to_ask(known.get(name), since=since, until=run.last_session, now=now)) is not None
    }
    if not due:
        return {}
    chained = await chain.fetch_rates(sorted(due), min(due.values()), run.last_session)
    for answer in chained.answers:
        for name, rates in sorted(answer.rates.items()):
            await repository.store_rates(name, rates, source=answer.provider, fetched_at=now)
        await MarketDataRepository(uow.connection).store_findings(answer.findings, run_id=run.run_id)
    given = {name: rates for answer in chained.answers for name, rates in answer.rates.items()}
    tried = AttemptRepository(uow.connection)
    await tried.store_attempts(Kind.RATES, chained.attempts.by_symbol, asked=sorted(due), run=run)
    decided = [name for name in due if name not in chained.attempts.undecided]
    await repository.store_asked(decided, since=since, at=now)
    return given.get(RISK_FREE_SERIES, {})
