"""Assess the books of a shard of portfolios as of each session of the run."""

import asyncio

from services.risk.announcing import headlines
from services.risk.assessment import Assessment, AssessmentInputs, assess
from services.risk.inputs import load_inputs
from services.risk.repository import RiskRepository
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.db.unit_of_work import UnitOfWork
from shared.prices.panel import PricePanel


async def assess_portfolios(event: RiskDue, uow: UnitOfWork, *, panel: PricePanel) -> None:
    """Load books, betas, sectors and returns, assess, store, announce."""
    repository = RiskRepository(uow.connection)
    inputs = await load_inputs(event.run, event.portfolio_ids, repository=repository, panel=panel)

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
