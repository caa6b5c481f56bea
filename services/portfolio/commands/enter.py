"""Entering portfolios, positions and flows: stored, and the run that values them asked for, in one transaction."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from services.portfolio.commands.request_calculation import CalculationRequest, request_calculation
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Flow, Position, PositionTerms
from services.portfolio.storage.repository import PortfolioRepository
from services.portfolio.web.bodies import Accepted, PortfolioBody
from shared.calendar import session_on_or_after
from shared.contracts.run import RunKind
from shared.conventions import HISTORY_DAYS
from shared.db.unit_of_work import UnitOfWork
from shared.problems import Problem

PORTFOLIO_NAMESPACE = uuid5(NAMESPACE_URL, "urn:sigmasight:portfolio")
# A portfolio's first session must leave some of the stored history before it.
MAX_BACK_DAYS = HISTORY_DAYS - 20


async def enter_portfolio(
    body: PortfolioBody, terms: Sequence[PositionTerms], uow: UnitOfWork, *, as_of: date
) -> Accepted:
    """Store a new portfolio with its positions and ask for its onboarding.

    Raises
    ------
    Problem
        409 if the name is taken, 422 if its first session is out of reach.
    """
    opened_on = as_of if body.opened_on is None else body.opened_on
    if not as_of - timedelta(days=MAX_BACK_DAYS) <= opened_on <= as_of:
        raise _refused("opened_on", f"must lie within {MAX_BACK_DAYS} days before {as_of}, was {opened_on}")
    opened_on = session_on_or_after(opened_on)
    portfolio = Portfolio(uuid5(PORTFOLIO_NAMESPACE, body.name), body.name, opened_on, body.opening_equity)
    if not await PortfolioRepository(uow.connection).store_portfolio(portfolio):
        raise Problem(409, f"a portfolio named {body.name!r} exists", errors=[{"field": "name", "reason": "taken"}])
    await _store_positions(portfolio.portfolio_id, terms, uow)
    request = CalculationRequest(portfolio.portfolio_id, RunKind.ONBOARDING, as_of, as_of, "portfolio import")
    run_id, _ = await request_calculation(request, uow)
    return Accepted(portfolio_id=portfolio.portfolio_id, run_id=run_id, positions=len(terms))


async def enter_positions(
    portfolio: Portfolio, terms: Sequence[PositionTerms], uow: UnitOfWork, *, as_of: date
) -> Accepted:
    """Store more positions and have everything they touch valued again."""
    await _store_positions(portfolio.portfolio_id, terms, uow)
    first = min([as_of, *(entry.entry_date for entry in terms)])
    return await recalculate(portfolio, first, uow, as_of=as_of, positions=len(terms))


async def enter_flow(portfolio: Portfolio, flow: Flow, uow: UnitOfWork, *, as_of: date) -> Accepted:
    """Store money paid in or taken out and have everything it touches valued again.

    Raises
    ------
    Problem
        422 if it is dated before the portfolio's first session, whose opening equity has it in already, or later than
        the session that is calculated.
    """
    check_flow(portfolio, flow, as_of=as_of)
    await PortfolioRepository(uow.connection).append_flow(uuid4(), flow)
    return await recalculate(portfolio, flow.on, uow, as_of=as_of, positions=0)


def _refused(field: str, reason: str) -> Problem:
    return Problem(422, f"{field} {reason}", errors=[{"field": field, "reason": reason}])


def check_flow(portfolio: Portfolio, flow: Flow, *, as_of: date) -> None:
    """Refuse a flow that no session of the portfolio up to `as_of` would book.

    Raises
    ------
    Problem
        422.
    """
    if not portfolio.opened_on <= flow.on <= as_of:
        raise _refused("on", f"must lie between {portfolio.opened_on} and {as_of}, was {flow.on}")


async def recalculate(portfolio: Portfolio, since: date, uow: UnitOfWork, *, as_of: date, positions: int) -> Accepted:
    """Ask for the run that values a portfolio again from the first session that a change touches."""
    first = min(max(session_on_or_after(since), portfolio.opened_on), as_of)
    request = CalculationRequest(portfolio.portfolio_id, RunKind.ONBOARDING, first, as_of, "book edited")
    run_id, _ = await request_calculation(request, uow)
    return Accepted(portfolio_id=portfolio.portfolio_id, run_id=run_id, positions=positions)


async def _store_positions(portfolio_id: UUID, terms: Sequence[PositionTerms], uow: UnitOfWork) -> None:
    repository = PortfolioRepository(uow.connection)
    positions = [Position(uuid4(), portfolio_id, entry) for entry in terms]
    await repository.store_positions(positions)
    await repository.store_exits(
        [(uuid4(), position.position_id, entry) for position in positions for entry in position.terms.exits]
    )
