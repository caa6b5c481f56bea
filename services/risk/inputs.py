"""What an assessment needs, loaded for each session of a run."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from services.risk.assessment import RETURN_SESSIONS, AssessmentInputs, HeldBooks
from services.risk.repository import RiskRepository
from shared.contracts.run import Run
from shared.prices.panel import PricePanel
from shared.returns import simple_returns


async def load_inputs(
    run: Run, portfolio_ids: Sequence[UUID], *, repository: RiskRepository, panel: PricePanel
) -> list[AssessmentInputs]:
    """Return the inputs of each session to assess on which any of the portfolios has a book, oldest first."""
    await panel.refresh()
    loaded = []
    for as_of in await repository.list_sessions(portfolio_ids, run):
        held = await repository.load_books(portfolio_ids, as_of)
        loaded.append(await _of_session(held, repository, panel))
    return loaded


async def _of_session(held: HeldBooks, repository: RiskRepository, panel: PricePanel) -> AssessmentInputs:
    prices = panel.window(held.symbols, last=held.as_of, sessions=RETURN_SESSIONS + 1)
    return AssessmentInputs(
        held=held,
        betas=await repository.load_betas(held.symbols, held.as_of),
        sectors=await repository.load_sectors(held.symbols),
        returns=np.ascontiguousarray(simple_returns(prices.adjusted).T),
    )
