"""What market_data listens to."""

from services.market_data.events import report_failed_fetch, report_failed_plan
from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.handlers.plan_run import plan_run
from services.market_data.providers.chain import ProviderChain
from services.market_data.settings import MarketDataSettings
from shared.bus.consume import Consume
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.clock import SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.scheduler import BatchCompleted, BatchTriggered
from shared.factor_set import FactorSet


def register(
    consume: Consume, settings: MarketDataSettings, *, chain: ProviderChain, factor_set: FactorSet, clock: SessionClock
) -> None:
    """Declare the consumers."""
    requests = (BatchTriggered, SymbolsOnboarding)
    consume(requests, plan_run, on_failure=report_failed_plan, factor_set=factor_set, chain=chain)
    consume(
        MarketDataDue,
        fetch_shard,
        on_failure=report_failed_fetch,
        at_once=settings.price_fetch_concurrency,
        chain=chain,
        clock=clock,
    )
    consume(BatchCompleted, note_cancelled_run)
