"""Ask for a run over a portfolio's symbols: its onboarding, or its calculation on demand."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from uuid import UUID, uuid4

from services.portfolio.core.positions import Flow, Position, PositionType
from services.portfolio.events import holdings
from services.portfolio.storage.repository import Calculation, PortfolioRepository
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class CalculationRequest:
    """Which portfolio, over which sessions, why and for whom."""

    portfolio_id: UUID
    kind: RunKind
    first_session: date
    last_session: date
    requested_by: str


async def request_calculation(request: CalculationRequest, uow: UnitOfWork) -> tuple[UUID, bool]:
    """Publish the onboarding of the portfolio's symbols; a request for the same book joins the run under way.

    Returns
    -------
    tuple of UUID and bool
        The run, and whether it is new.
    """
    repository = PortfolioRepository(uow.connection)
    positions = await repository.load_positions([request.portfolio_id])
    flows = await repository.load_flows([request.portfolio_id])

    listed = {entry.terms.symbol for entry in positions if entry.terms.kind is not PositionType.PRIVATE}
    symbols = sorted(listed | {entry.terms.option.underlying for entry in positions if entry.terms.option is not None})
    run = Run(
        run_id=uuid4(),
        kind=request.kind,
        first_session=request.first_session,
        last_session=request.last_session,
        symbols=tuple(symbols),
        portfolio_ids=(request.portfolio_id,),
        requested_by=request.requested_by,
    )
    calculation = Calculation(
        run.run_id, request.portfolio_id, request.kind, request.last_session, _digest(positions, flows, request)
    )

    while not await repository.store_calculation(calculation):
        active = await repository.find_active_calculation(calculation)
        if active is not None:  # else it has ended meanwhile, and this request opens the next one
            return active, False

    portfolio = await repository.find_portfolio(request.portfolio_id)
    uow.emit(
        SymbolsOnboarding(
            run=run,
            part=ONLY_PART,
            subjects=len(symbols),
            portfolio_id=request.portfolio_id,
            portfolio_name=portfolio and portfolio.name,
            opened_on=portfolio and portfolio.opened_on,
            holdings=holdings(positions),
        )
    )
    return run.run_id, True


def _digest(positions: list[Position], flows: list[Flow], request: CalculationRequest) -> str:
    return sha256(repr((positions, flows, request.first_session)).encode()).hexdigest()
