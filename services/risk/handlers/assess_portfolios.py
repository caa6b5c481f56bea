"""Assess the books of a shard of portfolios as of each session of the run, and of those that it has touched."""

import asyncio

from services.risk.core.assessment import assess
from services.risk.events import assessed_spans, headlines
from services.risk.storage.inputs import InputLoader
from services.risk.storage.repository import RiskRepository
from shared.contracts.risk import MAX_HEADLINES, Headline, PortfoliosAssessed, RiskDue
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel


async def assess_portfolios(event: RiskDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet) -> None:
    """Session by session, load books, betas, sectors and returns, assess, store; then announce."""
    repository = RiskRepository(uow.connection)
    loader = InputLoader(repository, panel, factor_set)
    announced: list[Headline] = []
    written = 0

    for as_of in await loader.sessions_of(event.run, event.portfolio_ids):
        inputs = await loader.of_session(event.portfolio_ids, as_of)
        assessment = await asyncio.to_thread(assess, inputs)
        written += await repository.store_assessment(assessment, event.run.run_id)
        announced += headlines(assessment)

    uow.emit(
        PortfoliosAssessed(
            run=event.run,
            part=event.part,
            subjects=len(event.portfolio_ids),
            failures=event.failures,
            headlines=tuple(announced[-MAX_HEADLINES:]),
            assessed=assessed_spans(announced),
            unchanged=len(announced) - written,
        )
    )
