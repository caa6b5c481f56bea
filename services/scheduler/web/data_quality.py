"""Whether the data of portfolios is complete, as administrators ask: how much of it, what to do, and have it done."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter

from services.scheduler.core.readiness import PortfolioReadiness
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.readiness_inputs import Shelves, load_readiness
from services.scheduler.web.admin_batch import Asking, OfPortfolio, only
from services.scheduler.web.problems import unknown_portfolio
from services.scheduler.web.quality_views import DataQuality, QualityStarted
from services.scheduler.web.readiness import readiness_of_all
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused


def build_router(
    unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings, shelves: Shelves
) -> APIRouter:
    """Return the routes of data quality."""
    router = APIRouter(prefix="/admin/batch/data-quality")
    asking = Asking(clock, settings)

    async def look(portfolio_id: UUID | None) -> DataQuality:
        found = await _readiness(unit_of_work, portfolio_id or shelves, clock)
        return DataQuality.of(
            found, portfolio_id=portfolio_id or "all", as_of=clock.last_closed_session(), timestamp=clock.now()
        )

    @router.get("", responses=refused(404))
    async def get_data_quality(portfolio_id: OfPortfolio = None) -> DataQuality:
        """Show how many portfolios have everything at the last closed session, and what to do about the others."""
        return await look(portfolio_id)

    @router.post("/refresh", responses=refused(404, 409))
    async def refresh_data_quality(portfolio_id: OfPortfolio = None) -> QualityStarted:
        """Fetch what is missing for a portfolio or for all at the last closed session, and compute them again."""
        quality = await look(portfolio_id)
        async with unit_of_work() as uow:
            stored, is_new = await asking.ask(uow, None, only(portfolio_id))
        return QualityStarted.of(
            stored,
            "what is missing is fetched, and what depends on it computed",
            is_new=is_new,
            now=clock.now(),
            portfolio_id=portfolio_id or "all",
            current_quality_score=quality.quality_score,
        )

    return router


async def _readiness(
    unit_of_work: UnitOfWorkFactory, whose: Shelves | UUID, clock: SessionClock
) -> Sequence[PortfolioReadiness]:
    inputs = await load_readiness(unit_of_work, clock.last_closed_session(), whose)
    if isinstance(whose, UUID) and not inputs.books:
        raise unknown_portfolio(whose)
    return await asyncio.to_thread(readiness_of_all, inputs)
