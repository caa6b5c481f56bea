"""Closing a portfolio: nobody values it after its last session, and what is known of it stays."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from services.portfolio.commands.check_change import check_change
from services.portfolio.commands.errors import ClosingOutOfReach
from services.portfolio.commands.lookup import get_portfolio
from services.portfolio.commands.request_calculation import Requested, recalculate
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.storage.edit_repository import Edit, EditRepository
from services.portfolio.storage.repository import PortfolioRepository
from shared.calendar import session_on_or_before
from shared.db.unit_of_work import UnitOfWork


async def close_portfolio(portfolio_id: UUID, on: date, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Let a day's session, or the last one before it, be the last that is valued.

    Whatever it holds: it leaves as it is, at that close. What was valued of later sessions before can still be read.

    Raises
    ------
    UnknownPortfolio, ClosingOutOfReach, NothingToCorrect
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    if not portfolio.opened_on <= on <= as_of:
        raise ClosingOutOfReach(on, opened_on=portfolio.opened_on, as_of=as_of)
    return await _set_closing(portfolio, session_on_or_before(on), uow, as_of=as_of)


async def reopen_portfolio(portfolio_id: UUID, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Let a closed portfolio go on as if it had never been closed.

    Raises
    ------
    UnknownPortfolio, NothingToCorrect
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    return await _set_closing(portfolio, None, uow, as_of=as_of)


async def _set_closing(before: Portfolio, closed_on: date | None, uow: UnitOfWork, *, as_of: date) -> Requested:
    portfolio_id = before.portfolio_id
    check_change(f"the closing of portfolio {portfolio_id}", before.closed_on, closed_on)
    await PortfolioRepository(uow.connection).close_portfolio(portfolio_id, closed_on)
    edit = Edit(portfolio_id, portfolio_id, "portfolio", _record(before.closed_on), _record(closed_on))
    await EditRepository(uow.connection).append_edit(edit)
    after = replace(before, closed_on=closed_on)
    # Up to the last session; of a portfolio that goes on, what was not valued meanwhile comes with it.
    return await recalculate(after, closed_on or as_of, uow, as_of=as_of, positions=0)


def _record(closed_on: date | None) -> dict[str, str | None]:
    return {"closed_on": None if closed_on is None else str(closed_on)}
