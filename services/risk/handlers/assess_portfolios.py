"""Assess the books of a shard as of each session of the run, and of those whose books or prices are others now."""

import asyncio
from itertools import chain
from typing import Final

from services.risk.core.assessment import assess
from services.risk.core.scenarios import RateSensitivity
from services.risk.events import headlines, portfolios_assessed
from services.risk.storage.inputs import InputLoader
from services.risk.storage.repository import RiskRepository
from services.risk.storage.universe_repository import UniverseRepository
from shared.bus.cancelled_runs import unless_cancelled
from shared.contracts.risk import Headline, RiskDue
from shared.db.claims import claim
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel

# Sessions: a statement for many costs what one for one does, and what they need and give is in memory meanwhile.
_AT_ONCE: Final = 21


async def assess_portfolios(
    event: RiskDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet, rate: RateSensitivity
) -> None:
    """Claim the portfolios; month by month, load what they depend on, assess session by session, store; announce."""
    await claim(uow.connection, event.portfolio_ids)
    repository = RiskRepository(uow.connection)
    loader = InputLoader(repository, UniverseRepository(uow.connection), panel, factor_set, rate)
    announced: list[Headline] = []
    written = 0

    sessions = await loader.sessions_of(event)
    for start in range(0, len(sessions), _AT_ONCE):
        known = await loader.of_sessions(event.portfolio_ids, sessions[start : start + _AT_ONCE])
        assessments = [
            await asyncio.to_thread(assess, loader.inputs(each))
            async for each in unless_cancelled(known, uow.connection, event.run.run_id)
        ]
        written += await repository.store_assessments(assessments, event.run.run_id)
        announced += chain.from_iterable(map(headlines, assessments))

    uow.emit(portfolios_assessed(event, announced, written=written))
