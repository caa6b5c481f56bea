"""Corrections: a trade, a flow or a name changed or taken away, and every session that it touches valued again.

The portfolio is locked first, as a valuation locks it: neither can miss what the other does.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.portfolio.commands.check_change import check_change
from services.portfolio.commands.enter import check_exits, check_flow, check_reference, check_trades
from services.portfolio.commands.errors import (
    ExitOutOfReach,
    ImpossibleExit,
    NameTaken,
    UnknownFlow,
    UnknownPosition,
)
from services.portfolio.commands.lookup import get_portfolio
from services.portfolio.commands.request_calculation import Requested, recalculate
from services.portfolio.core.delivery import shares_id
from services.portfolio.core.positions import Exit, Flow, Position, PositionTerms
from services.portfolio.storage.edit_repository import Edit, EditRepository, StoredFlow, position_record
from services.portfolio.storage.repository import PortfolioRepository
from shared.db.unit_of_work import UnitOfWork


async def describe_portfolio(
    portfolio_id: UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, as_of: date
) -> Requested:
    """Say anew what a portfolio is called or whose it is, and announce it with a run that changes nothing else.

    Raises
    ------
    UnknownPortfolio, NameTaken, NothingToCorrect
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    after = replace(portfolio, **changes)
    check_change("what the portfolio is called, and whose it is,", portfolio, after)
    if not await PortfolioRepository(uow.connection).describe_portfolio(after):
        raise NameTaken(after.name)
    before = {change: getattr(portfolio, change) for change in changes}
    await EditRepository(uow.connection).append_edit(Edit(portfolio_id, portfolio_id, "portfolio", before, changes))
    return await recalculate(after, as_of, uow, as_of=as_of, positions=0)


async def correct_position(
    portfolio_id: UUID, position_id: UUID, terms: PositionTerms, uow: UnitOfWork, *, as_of: date
) -> Requested:
    """Replace the terms of a position.

    Raises
    ------
    UnknownPortfolio, UnknownPosition, NothingToCorrect, TradeAfterClosing, Oversold
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    repository = EditRepository(uow.connection)
    stored = await _get_position(repository, portfolio_id, position_id)
    check_change(f"position {position_id}", stored.terms, terms)
    before, after = stored.terms.dates, terms.dates
    check_trades(portfolio, sorted(after - before))
    await check_exits([terms], PortfolioRepository(uow.connection))
    await _replace_terms(stored, terms, repository)
    return await recalculate(portfolio, min(before | after), uow, as_of=as_of, positions=1)


async def remove_position(portfolio_id: UUID, position_id: UUID, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Take a position away as if it had never been, an option with the shares that it ended in.

    Raises
    ------
    UnknownPortfolio, UnknownPosition
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    repository = EditRepository(uow.connection)
    stored = await _get_position(repository, portfolio_id, position_id)
    shares = await repository.find_position(portfolio_id, shares_id(position_id))
    for gone in (stored,) if shares is None else (stored, shares):
        await repository.delete_position(gone.position_id)
        edit = Edit(portfolio_id, gone.position_id, "position", position_record(gone.terms), None)
        await repository.append_edit(edit)
    return await recalculate(portfolio, min(stored.terms.dates), uow, as_of=as_of, positions=0)


async def add_exit(portfolio_id: UUID, position_id: UUID, closing: Exit, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Close part or all of a position.

    Raises
    ------
    ExitOutOfReach, UnknownPortfolio, UnknownPosition, ImpossibleExit, Oversold
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    last = portfolio.valued_until(as_of)
    if closing.on > last:
        raise ExitOutOfReach(closing.on, as_of=last)
    repository = EditRepository(uow.connection)
    stored = await _get_position(repository, portfolio_id, position_id)
    exits = tuple(sorted((*stored.terms.exits, closing), key=lambda entry: entry.on))
    try:
        terms = replace(stored.terms, exits=exits)
    except ValueError as error:
        raise ImpossibleExit(position_id, str(error)) from error
    await check_exits([terms], PortfolioRepository(uow.connection))
    await _replace_terms(stored, terms, repository)
    return await recalculate(portfolio, closing.on, uow, as_of=as_of, positions=1)


async def correct_flow(flow_id: UUID, flow: Flow, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Replace date, amount and reference of a flow.

    Raises
    ------
    UnknownPortfolio, UnknownFlow, NothingToCorrect, FlowOutOfReach, ReferenceTaken
    """
    portfolio = await get_portfolio(uow.connection, flow.portfolio_id, lock=True)
    repository = EditRepository(uow.connection)
    stored = await _get_flow(repository, flow.portfolio_id, flow_id)
    check_change(f"flow {flow_id}", stored.flow, flow)
    check_flow(portfolio, flow, as_of=as_of)
    entered = await repository.list_flows(flow.portfolio_id)
    check_reference(flow, [other.flow for other in entered if other.flow_id != flow_id])
    await repository.replace_flow(StoredFlow(flow_id, flow))
    await repository.append_edit(Edit(flow.portfolio_id, flow_id, "flow", flow_record(stored.flow), flow_record(flow)))
    return await recalculate(portfolio, min(stored.flow.on, flow.on), uow, as_of=as_of, positions=0)


async def remove_flow(portfolio_id: UUID, flow_id: UUID, uow: UnitOfWork, *, as_of: date) -> Requested:
    """Take a flow away as if it had never been.

    Raises
    ------
    UnknownPortfolio, UnknownFlow
    """
    portfolio = await get_portfolio(uow.connection, portfolio_id, lock=True)
    repository = EditRepository(uow.connection)
    stored = await _get_flow(repository, portfolio_id, flow_id)
    await repository.delete_flow(flow_id)
    await repository.append_edit(Edit(portfolio_id, flow_id, "flow", flow_record(stored.flow), None))
    return await recalculate(portfolio, stored.flow.on, uow, as_of=as_of, positions=0)


def flow_record(flow: Flow) -> dict[str, Any]:
    """Return a flow as it is kept in the record of corrections."""
    return {"on": str(flow.on), "amount": str(flow.amount), "reference": flow.reference}


async def _replace_terms(stored: Position, terms: PositionTerms, repository: EditRepository) -> None:
    await repository.replace_position(replace(stored, terms=terms))
    before, after = position_record(stored.terms), position_record(terms)
    await repository.append_edit(Edit(stored.portfolio_id, stored.position_id, "position", before, after))


async def _get_position(repository: EditRepository, portfolio_id: UUID, position_id: UUID) -> Position:
    stored = await repository.find_position(portfolio_id, position_id)
    if stored is None:
        raise UnknownPosition(portfolio_id, position_id)
    return stored


async def _get_flow(repository: EditRepository, portfolio_id: UUID, flow_id: UUID) -> StoredFlow:
    flows = await repository.list_flows(portfolio_id)
    stored = next((entry for entry in flows if entry.flow_id == flow_id), None)
    if stored is None:
        raise UnknownFlow(portfolio_id, flow_id)
    return stored
