"""Entering portfolios, positions and flows: stored, and the run that values them asked for, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from services.portfolio.commands.errors import (
    FlowOutOfReach,
    NameTaken,
    OpeningOutOfReach,
    Oversold,
    ReferenceTaken,
    TradeAfterClosing,
)
from services.portfolio.commands.lookup import get_portfolio
from services.portfolio.commands.request_calculation import (
    CalculationRequest,
    Requested,
    recalculate,
    request_calculation,
)
from services.portfolio.core.inheritance import SplitHistory, find_oversold
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Flow, Position, PositionTerms
from services.portfolio.storage.repository import PortfolioRepository
from shared.calendar import session_on_or_after
from shared.contracts.run import RunKind
from shared.db.unit_of_work import UnitOfWork

PORTFOLIO_NAMESPACE = uuid5(NAMESPACE_URL, "urn:sigmasight:portfolio")


@dataclass(frozen=True, slots=True)
class NewPortfolio:
    """A portfolio as it is asked for."""

    name: str
    opening_equity: Decimal
    opened_on: date
    currency: str = "USD"
    owner: str | None = None


async def enter_portfolio(
    new: NewPortfolio, terms: Sequence[PositionTerms], uow: UnitOfWork, *, as_of: date
) -> Requested:
    """Store a new portfolio with its positions and ask for its onboarding.

    Raises
    ------
    NameTaken, OpeningOutOfReach, Oversold
    """
    if new.opened_on > as_of:
        raise OpeningOutOfReach(new.opened_on, as_of=as_of)
    repository = PortfolioRepository(uow.connection)
    portfolio_id = uuid5(PORTFOLIO_NAMESPACE, new.name)
    if await repository.load_portfolios([portfolio_id]):
        # Taken, or left by one that is called otherwise now.
        portfolio_id = uuid4()
    portfolio = Portfolio(
        portfolio_id,
        new.name,
        session_on_or_after(new.opened_on),
        new.opening_equity,
        new.currency,
        owner=new.owner,
    )
    if not await repository.store_portfolio(portfolio):
        raise NameTaken(new.name)
    await _store_positions(portfolio_id, terms, uow)
    request = CalculationRequest(portfolio_id, RunKind.ONBOARDING, as_of, as_of, "portfolio import")
    return Requested(portfolio_id, await request_calculation(request, uow), len(terms))


async def enter_positions(
    portfolio_id: UUID, terms: Sequence[PositionTerms], uow: UnitOfWork, *, as_of: date
) -> Requested:
    """Store more positions and have everything they touch valued again.

    Raises
    ------
    UnknownPortfolio, TradeAfterClosing, Oversold
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    check_trades(portfolio, sorted({on for entry in terms for on in entry.dates}))
    await _store_positions(portfolio_id, terms, uow)
    first = min([as_of, *(entry.entry_date for entry in terms)])
    return await recalculate(portfolio, first, uow, as_of=as_of, positions=len(terms))


async def enter_flow(flow: Flow, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Store money paid in or taken out, once, and have everything it touches valued again.

    A flow with the reference of a stored one is that one, and so is one without, where that has none either, of its
    day and amount: two payments of the same amount on one day are told apart by their references.

    Raises
    ------
    UnknownPortfolio, FlowOutOfReach, ReferenceTaken
    """
    portfolio = await get_portfolio(uow.connection, flow.portfolio_id, lock=True)
    check_flow(portfolio, flow, as_of=as_of)
    repository = PortfolioRepository(uow.connection)
    stored = await repository.load_flows([flow.portfolio_id])
    is_new = flow not in stored
    if is_new:
        check_reference(flow, stored)
        await repository.append_flow(uuid4(), flow)
    requested = await recalculate(portfolio, flow.on, uow, as_of=as_of, positions=0)
    return replace(requested, is_new=is_new)


def check_reference(flow: Flow, others: Iterable[Flow]) -> None:
    """Refuse a flow with the reference of another.

    Raises
    ------
    ReferenceTaken
    """
    for other in others:
        if flow.reference is not None and other.reference == flow.reference:
            raise ReferenceTaken(flow.reference, on=other.on, amount=other.amount)


def check_trades(portfolio: Portfolio, days: Iterable[date]) -> None:
    """Refuse trades after the last session of a closed portfolio.

    Raises
    ------
    TradeAfterClosing
    """
    for on in days:
        if portfolio.closed_on is not None and on > portfolio.closed_on:
            raise TradeAfterClosing(on, closed_on=portfolio.closed_on)


def check_flow(portfolio: Portfolio, flow: Flow, *, as_of: date) -> None:
    """Refuse a flow that no session of the portfolio up to `as_of` would book.

    One before the first session is in the opening equity already, one after the last in no book.

    Raises
    ------
    FlowOutOfReach
    """
    as_of = portfolio.valued_until(as_of)
    if not portfolio.opened_on <= flow.on <= as_of:
        raise FlowOutOfReach(flow.on, opened_on=portfolio.opened_on, as_of=as_of)


async def check_exits(terms: Sequence[PositionTerms], repository: PortfolioRepository) -> None:
    """Refuse exits of more than was held, as far as the splits until then are known.

    Raises
    ------
    Oversold
    """
    closed = [entry for entry in terms if entry.exits]
    histories = await repository.load_splits(sorted({entry.split_as for entry in closed}), until=date.max)
    for entry in closed:
        oversold = find_oversold(entry, histories.get(entry.split_as, SplitHistory()))
        if oversold is not None:
            raise Oversold(oversold.told(entry.symbol))


async def _store_positions(portfolio_id: UUID, terms: Sequence[PositionTerms], uow: UnitOfWork) -> None:
    await check_exits(terms, PortfolioRepository(uow.connection))
    positions = [Position(uuid4(), portfolio_id, entry) for entry in terms]
    await PortfolioRepository(uow.connection).store_positions(positions)
