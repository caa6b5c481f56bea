"""What market_data listens to."""

from services.market_data.events import report_failed_fetch, report_failed_plan
from services.market_data.handlers.begin_onboardings import begin_onboardings
from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.handlers.plan_run import plan_run
from services.market_data.providers.chain import ProviderChain
from services.market_data.settings import MarketDataSettings
from services.market_data.storage.onboarding_repository import OnboardingLimits
from shared.bus.consume import Consume
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.clock import SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.scheduler import BatchCompleted, BatchTriggered
from shared.settings import CommonSettings


def register(
    consume: Consume, common: CommonSettings, settings: MarketDataSettings, *, chain: ProviderChain, clock: SessionClock
) -> None:
    """Declare the consumers."""
    limits = OnboardingLimits(common.symbol_onboarding_concurrency, longest=common.longest_run)
    requests = (BatchTriggered, SymbolsOnboarding)
    consume(
        requests,
        plan_run,
        on_failure=report_failed_plan,
        factor_set=common.factor_set,
        chain=chain,
        plans=settings.plans,
        onboardings=limits,
    )
    consume(
        MarketDataDue,
        fetch_shard,
        on_failure=report_failed_fetch,
        at_once=settings.price_fetch_concurrency,
        chain=chain,
        clock=clock,
        ages=settings.ages,
    )
    consume(BatchCompleted, begin_onboardings, onboardings=limits)
    consume(BatchCompleted, note_cancelled_run)
