"""How many contracts of the options of a shard are open: asked for once a session, where somebody tells it."""

from services.market_data.core.names import is_contract
from services.market_data.core.open_interest import first_to_ask
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.interest_repository import InterestRepository
from shared.clock import Clock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork


async def refresh_open_interest(event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: Clock) -> None:
    """Fetch and store what is new since the newest that is stored, of the run's own sessions and the one before."""
    options = [symbol for symbol in event.symbols if is_contract(symbol)]
    if not options:
        return
    repository, run = InterestRepository(uow.connection), event.run
    newest = await repository.load_newest(options)
    since = event.kept_since or run.first_session
    first = first_to_ask(newest, options, since=since, until=run.last_session)
    if first is None:
        return
    source, told = await chain.find_open_interest(options, first, run.last_session)
    await repository.store_open_interest(told, source=source, fetched_at=clock.now())
