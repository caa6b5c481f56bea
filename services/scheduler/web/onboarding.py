"""How far the runs of one portfolio are, as its owner's page asks: a batch, and the onboarding."""

from uuid import UUID

from fastapi import APIRouter

from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.web.batch_history import load_log
from services.scheduler.web.batch_views import elapsed
from services.scheduler.web.onboarding_views import BatchState, OnboardingStatus, RunState
from shared.clock import Clock
from shared.contracts.run import RunKind
from shared.db.unit_of_work import UnitOfWorkFactory


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of one portfolio's runs."""
    router = APIRouter()

    @router.get("/portfolios/{portfolio_id}/batch-status/{batch_run_id}")
    async def get_batch_status(portfolio_id: UUID, batch_run_id: UUID) -> BatchState:
        """Show how a run of a portfolio stands; a run that was just asked for may not be known yet."""
        async with unit_of_work.reading() as connection:
            stored = await SchedulerRepository(connection).find_run(batch_run_id)
        named = stored.run.portfolio_ids if stored is not None else ()
        if stored is None or (named is not None and portfolio_id not in named):
            return BatchState(status="idle", batch_run_id=batch_run_id, portfolio_id=portfolio_id)
        return BatchState(
            status=RunState.of(stored.status),
            batch_run_id=batch_run_id,
            portfolio_id=portfolio_id,
            started_at=stored.requested_at,
            triggered_by=stored.run.requested_by,
            elapsed_seconds=elapsed(stored, clock.now()),
        )

    @router.get("/onboarding/status/{portfolio_id}")
    async def get_onboarding_status(portfolio_id: UUID) -> OnboardingStatus:
        """Show how far the newest onboarding of a portfolio is, phase by phase, with its log.

        What is entered into a portfolio or corrected is an onboarding of it again.
        """
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            stored = await repository.find_newest_run(portfolio_id, RunKind.ONBOARDING)
            if stored is None:
                return OnboardingStatus(portfolio_id=portfolio_id, status="not_found")
            tallies = await repository.load_tallies(stored.run.run_id)
            lines = await load_log(LogRepository(connection), stored.run.run_id)
        return OnboardingStatus.of(portfolio_id, stored, tallies, lines, clock.now())

    return router
