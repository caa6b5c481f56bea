"""Assess the books of a shard of portfolios as of each session of the run."""

import asyncio

from services.risk.announcing import headlines
from services.risk.assessment import Assessment, AssessmentInputs, assess
from services.risk.inputs import InputLoader
from services.risk.repository import RiskRepository
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel


async def assess_portfolios(event: RiskDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet) -> None:
    """Load books, betas, sectors and returns, assess, store, announce."""
    repository = RiskRepository(uow.connection)
    inputs = await InputLoader(repository, panel, factor_set).of_run(event.run, event.portfolio_ids)

    assessments = await asyncio.to_thread(_assess_each, inputs)

    for assessment in assessments:
        await repository.store_assessment(assessment, event.run.run_id)

    announced = tuple(headline for assessment in assessments for headline in headlines(assessment))
    uow.emit(
        PortfoliosAssessed(
            run=event.run,
            part=event.part,
            subjects=len(event.portfolio_ids),
            failures=event.failures,
            headlines=announced,
        )
    )


def _assess_each(inputs: list[AssessmentInputs]) -> list[Assessment]:
    return [assess(of_session) for of_session in inputs]
