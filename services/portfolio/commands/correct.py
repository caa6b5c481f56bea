"""Corrections: a trade or a flow changed or taken away, and every session that it touches valued again.

The portfolio is locked first, as a valuation locks it: neither can miss what the other does.
"""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.portfolio.commands.enter import check_flow, recalculate
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Exit, Flow, Position, PositionTerms
from services.portfolio.storage.edit_repository import Edit, EditRepository, StoredFlow
from services.portfolio.storage.repository import PortfolioRepository
from services.portfolio.web.bodies import Accepted
from shared.db.unit_of_work import UnitOfWork
from shared.problems import Problem


async def correct_position(
    portfolio_id: UUID, position_id: UUID, terms: PositionTerms | None, uow: UnitOfWork, *, as_of: date
) -> Accepted:
    """Replace the terms of a position, or take it away with None.

    Raises
    ------
    Problem
        404 if there is no such portfolio or position.
    """
    portfolio, repository = await _locked(portfolio_id, uow), EditRepository(uow.connection)
    stored = await _get_position(repository, portfolio_id, position_id)
    if terms is None:
        await repository.delete_position(position_id)
    else:
        await repository.replace_position(replace(stored, terms=terms))
    before, after = position_record(stored.terms), None if terms is None else position_record(terms)
    await repository.append_edit(Edit(portfolio_id, position_id, "position", before, after))
    touched = _dates(stored.terms) | (_dates(terms) if terms else set())
    return await recalculate(portfolio, min(touched), uow, as_of=as_of, positions=int(terms is not None))


async def add_exit(portfolio_id: UUID, position_id: UUID, closing: Exit, uow: UnitOfWork, *, as_of: date) -> Accepted:
    """Close part or all of a position.

    Raises
    ------
    Problem
        404 if there is no such portfolio or position, 422 if the exit cannot be.
    """
    portfolio, repository = await _locked(portfolio_id, uow), EditRepository(uow.connection)
    stored = await _get_position(repository, portfolio_id, position_id)
    exits = tuple(sorted((*stored.terms.exits, closing), key=lambda entry: entry.on))
    try:
        terms = replace(stored.terms, exits=exits)
    except ValueError as error:
        raise Problem(422, str(error), errors=[{"field": "on", "reason": str(error)}]) from error
    await repository.replace_position(replace(stored, terms=terms))
    before, after = position_record(stored.terms), position_record(terms)
    await repository.append_edit(Edit(portfolio_id, position_id, "position", before, after))
    return await recalculate(portfolio, closing.on, uow, as_of=as_of, positions=1)


async def correct_flow(
    portfolio_id: UUID, flow_id: UUID, flow: Flow | None, uow: UnitOfWork, *, as_of: date
) -> Accepted:
    """Replace date and amount of a flow, or take it away with None.

    Raises
    ------
    Problem
        404 if there is no such portfolio or flow, 422 if it cannot be dated so.
    """
    portfolio, repository = await _locked(portfolio_id, uow), EditRepository(uow.connection)
    stored = next((entry for entry in await repository.list_flows(portfolio_id) if entry.flow_id == flow_id), None)
    if stored is None:
        raise Problem(404, f"portfolio {portfolio_id} has no flow {flow_id}")
    if flow is None:
        await repository.delete_flow(flow_id)
    else:
        check_flow(portfolio, flow, as_of=as_of)
        await repository.replace_flow(StoredFlow(flow_id, flow))
    before, after = flow_record(stored.flow), None if flow is None else flow_record(flow)
    await repository.append_edit(Edit(portfolio_id, flow_id, "flow", before, after))
    touched = {stored.flow.on} | ({flow.on} if flow else set())
    return await recalculate(portfolio, min(touched), uow, as_of=as_of, positions=0)


def position_record(terms: PositionTerms) -> dict[str, Any]:
    """Return terms as they are kept in the record of corrections."""
    return {
        "symbol": terms.symbol,
        "kind": terms.kind.value,
        "quantity": str(terms.quantity),
        "entry_date": str(terms.entry_date),
        "entry_price": str(terms.entry_price),
        "exits": [
            {"on": str(entry.on), "price": str(entry.price), "quantity": entry.quantity and str(entry.quantity)}
            for entry in terms.exits
        ],
        "option": terms.option
        and {
            "underlying": terms.option.underlying,
            "strike": str(terms.option.strike),
            "expiration": str(terms.option.expiration),
        },
    }


def flow_record(flow: Flow) -> dict[str, Any]:
    """Return a flow as it is kept in the record of corrections."""
    return {"on": str(flow.on), "amount": str(flow.amount)}


async def _locked(portfolio_id: UUID, uow: UnitOfWork) -> Portfolio:
    found = await PortfolioRepository(uow.connection).load_portfolios([portfolio_id], lock=True)
    if not found:
        raise Problem(404, f"no portfolio {portfolio_id}")
    return found[0]


async def _get_position(repository: EditRepository, portfolio_id: UUID, position_id: UUID) -> Position:
    stored = await repository.find_position(portfolio_id, position_id)
    if stored is None:
        raise Problem(404, f"portfolio {portfolio_id} has no position {position_id}")
    return stored


def _dates(terms: PositionTerms) -> set[date]:
    return {terms.entry_date, *(entry.on for entry in terms.exits)}
