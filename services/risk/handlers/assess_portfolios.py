"""Assess the books of a shard as of each session of the run, and of those whose books or prices are others now."""

import asyncio
from itertools import chain
from typing import Final

from services.risk.core.assessment import Assessment, assess
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

# Sessions: a statement for many costs what one for one does, and their results are in memory until then.
_STORED_AT_ONCE: Final = 21


async def assess_portfolios(
    event: RiskDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet, rate: RateSensitivity
) -> None:
    """Claim the portfolios; session by session, load what they depend on and assess; store by month; announce."""
    await claim(uow.connection, event.portfolio_ids)
    repository = RiskRepository(uow.connection)
    loader = InputLoader(repository, UniverseRepository(uow.connection), panel, factor_set, rate)
    announced: list[Headline] = []
    written = 0

    sessions = await loader.sessions_of(event)
    waiting: list[Assessment] = []
    async for as_of in unless_cancelled(sessions, uow.connection, event.run.run_id):
        inputs = await loader.of_session(event.portfolio_ids, as_of)
        waiting.append(await asyncio.to_thread(assess, inputs))
        if len(waiting) == _STORED_AT_ONCE or as_of == sessions[-1]:
            written += await repository.store_assessments(waiting, event.run.run_id)
            announced += chain.from_iterable(map(headlines, waiting))
            waiting = []

    uow.emit(portfolios_assessed(event, announced, written=written))
