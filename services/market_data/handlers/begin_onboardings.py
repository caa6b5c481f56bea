"""An onboarding has ended: the next one that waits begins."""

from services.market_data.storage.onboarding_repository import OnboardingLimits, OnboardingRepository
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork


async def begin_onboardings(event: BatchCompleted, uow: UnitOfWork, *, onboardings: OnboardingLimits) -> None:
    """Hand out the shards of those whose turn it is."""
    repository = OnboardingRepository(uow.connection)
    if await repository.end_onboarding(event.run.run_id):
        uow.emit(*await repository.begin_waiting(onboardings))
