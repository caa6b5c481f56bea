"""Assess the books of a shard as of each session of the run, and of those whose books or prices are others now."""

import asyncio

from services.risk.core.assessment import assess
from services.risk.core.scenarios import RateSensitivity
from services.risk.events import headlines, portfolios_assessed
from services.risk.storage.inputs import InputLoader
from services.risk.storage.repository import RiskRepository
from shared.contracts.risk import Headline, RiskDue
from shared.db.claims import claim
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel


async def assess_portfolios(
    event: RiskDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet, rate: RateSensitivity
) -> None:
    """Claim the portfolios; session by session, load what they depend on, assess, store; then announce."""
    await claim(uow.connection, event.portfolio_ids)
    repository = RiskRepository(uow.connection)
    loader = InputLoader(repository, panel, factor_set, rate)
    announced: list[Headline] = []
    written = 0

    for as_of in await loader.sessions_of(event.run, event.portfolio_ids):
        inputs = await loader.of_session(event.portfolio_ids, as_of)
        assessment = await asyncio.to_thread(assess, inputs)
        written += await repository.store_assessment(assessment, event.run.run_id)
        announced += headlines(assessment)

    uow.emit(portfolios_assessed(event, announced, written=written))
