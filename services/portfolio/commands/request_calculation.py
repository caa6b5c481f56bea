"""Ask for a run over a portfolio's symbols: its onboarding, or its calculation on demand."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from services.portfolio.commands.errors import RangeReversed, TooManySymbols
from services.portfolio.commands.lookup import get_portfolio
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Flow, Position, priced_symbols
from services.portfolio.events import holdings
from services.portfolio.storage.edit_repository import EditRepository
from services.portfolio.storage.repository import Calculation, PortfolioRepository
from shared.calendar import session_on_or_after
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.db.unit_of_work import UnitOfWork

# Of the longest names 72,000 fill a message.
MAX_SYMBOLS: Final = 50_000


@dataclass(frozen=True, slots=True)
class CalculationRequest:
    """Which portfolio, over which sessions, why and for whom."""

    portfolio_id: UUID
    kind: RunKind
    first_session: date
    last_session: date
    requested_by: str


@dataclass(frozen=True, slots=True)
class Requested:
    """How many positions were stored or are calculated, and the run; not new what had been entered before."""

    portfolio_id: UUID
    run_id: UUID
    positions: int
    is_new: bool = True


async def calculate(
    portfolio_id: UUID, uow: UnitOfWork, *, first_session: date, as_of: date, requested_by: str
) -> Requested:
    """Ask for a portfolio's calculation now.

    Raises
    ------
    RangeReversed, UnknownPortfolio
    """
    if first_session > as_of:
        raise RangeReversed(first_session, as_of=as_of)
    await get_portfolio(uow.connection, portfolio_id)
    held = await PortfolioRepository(uow.connection).load_positions([portfolio_id])
    request = CalculationRequest(portfolio_id, RunKind.ON_DEMAND, first_session, as_of, requested_by)
    return Requested(portfolio_id, await request_calculation(request, uow), len(held))


async def recalculate(portfolio: Portfolio, since: date, uow: UnitOfWork, *, as_of: date, positions: int) -> Requested:
    """Ask for the run that values a portfolio again from the first session that a change touches, to its last."""
    as_of = portfolio.valued_until(as_of)
    first = min(max(session_on_or_after(since), portfolio.opened_on), as_of)
    request = CalculationRequest(portfolio.portfolio_id, RunKind.ONBOARDING, first, as_of, "book edited")
    return Requested(portfolio.portfolio_id, await request_calculation(request, uow), positions)


async def request_calculation(request: CalculationRequest, uow: UnitOfWork) -> UUID:
    """Publish the onboarding of the portfolio's symbols and return the run.

    A request for the same book joins the run under way.

    Raises
    ------
    TooManySymbols, UnknownPortfolio
    """
    repository = PortfolioRepository(uow.connection)
    portfolio = await get_portfolio(uow.connection, request.portfolio_id)
    positions = await repository.load_positions([request.portfolio_id])
    flows = await repository.load_flows([request.portfolio_id])

    symbols = priced_symbols(entry.terms for entry in positions)
    if len(symbols) > MAX_SYMBOLS:
        raise TooManySymbols(len(symbols), most=MAX_SYMBOLS)
    run = Run(
        run_id=uuid4(),
        kind=request.kind,
        first_session=request.first_session,
        last_session=request.last_session,
        symbols=tuple(symbols),
        portfolio_ids=(request.portfolio_id,),
        requested_by=request.requested_by,
    )
    # What was changed and changed back is announced both times: between them others have heard of the first.
    edits = await EditRepository(uow.connection).count_edits(request.portfolio_id)
    digest = _digest(portfolio, positions, flows, edits, request)
    calculation = Calculation(run.run_id, request.portfolio_id, request.kind, request.last_session, digest)

    while not await repository.store_calculation(calculation):
        active = await repository.find_active_calculation(calculation)
        if active is not None:  # else it has ended meanwhile, and this request opens the next one
            return active

    uow.emit(
        SymbolsOnboarding(
            run=run,
            part=ONLY_PART,
            subjects=len(symbols),
            portfolio_id=portfolio.portfolio_id,
            portfolio_name=portfolio.name,
            opened_on=portfolio.opened_on,
            closed_on=portfolio.closed_on,
            owner=portfolio.owner,
            holdings=holdings(positions, closed_on=portfolio.closed_on),
            edits=edits,
        )
    )
    return run.run_id


def _digest(
    portfolio: Portfolio, positions: list[Position], flows: list[Flow], edits: int, request: CalculationRequest
) -> str:
    said = (portfolio.name, portfolio.owner, positions, flows, edits, request.first_session)
    return sha256(repr(said).encode()).hexdigest()
