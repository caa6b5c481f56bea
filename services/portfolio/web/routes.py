"""portfolio over HTTP: enter books, read what they are worth."""

import asyncio
from datetime import date, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.portfolio.commands import close, correct, enter, lookup, request_calculation
from services.portfolio.commands.check_room import Room, check_room
from services.portfolio.commands.request_calculation import Requested
from services.portfolio.core.cents import AmountOutOfRange
from services.portfolio.core.positions import Exit, Flow
from services.portfolio.core.roll import roll
from services.portfolio.storage.edit_repository import EditRepository, StoredFlow
from services.portfolio.storage.inputs import gather
from services.portfolio.storage.position_shelf import PositionShelf
from services.portfolio.storage.repository import PortfolioRepository
from services.portfolio.storage.snapshot_repository import PositionValueRow, SnapshotRepository, SnapshotRow
from services.portfolio.web.bodies import (
    CalculateBody,
    CloseBody,
    DescriptionBody,
    ExitBody,
    FlowBody,
    PortfolioBody,
    PositionBody,
    PositionsBody,
    entered_of,
    position_terms,
)
from services.portfolio.web.changes import add_changes
from services.portfolio.web.explanation import EXPLAINED, Explanation, explain, priced_symbols
from services.portfolio.web.making import MadeOnce
from services.portfolio.web.performance import add_performance
from services.portfolio.web.position_values import add_position_values, revisions_of, valued_of
from services.portfolio.web.views import (
    Accepted,
    CalculationAccepted,
    EditView,
    FlowView,
    PortfolioAccepted,
    PortfolioView,
    PositionValueView,
    PositionView,
    SnapshotView,
    UnderstoodView,
)
from shared.calendar import is_session
from shared.clock import Clock, SessionClock
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.dependencies import made
from shared.openapi import or_found, refused
from shared.pages import Page, Paging, Text, paged
from shared.prices.last_prices import load_last_prices
from shared.prices.panel import PricePanel
from shared.problems import Problem
from shared.selection import Day, Instant, PortfolioSelection, SessionSelection, Slice
from shared.symbols import SymbolText
from shared.validators import Held, still_held

Books = Annotated[Paging, paged(500, most=5_000)]
Snapshots = Annotated[Paging, paged(500, most=5_000, of="snapshots")]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, *, panel: PricePanel, room: Room) -> APIRouter:
    """Return the routes of portfolio."""
    router = APIRouter()
    _add_entering(router, unit_of_work, clock, room)
    _add_trying(router, unit_of_work, clock)
    _add_standing(router, unit_of_work, clock)
    _add_corrections(router, unit_of_work, clock)
    _add_books(router, unit_of_work)
    _add_values(router, unit_of_work, clock)
    _add_analysis(router, unit_of_work, clock, panel)
    add_position_values(router, unit_of_work, clock)
    add_performance(router, unit_of_work, clock)
    add_changes(router, unit_of_work, clock)
    return router


def _add_entering(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock, room: Room) -> None:
    @router.post("/portfolios", status_code=201, responses=refused(409, 503) | or_found(PortfolioAccepted))
    async def create_portfolio(body: PortfolioBody, making: MadeOnce) -> PortfolioAccepted:
        """Store a portfolio with its positions and have it valued; `run_id` tells how far that is."""
        as_of = _target(clock, body.as_of)
        entered = await asyncio.to_thread(entered_of, body, today=clock.now().date())
        new = enter.NewPortfolio(body.name, body.opening_equity, body.opened_on or as_of, body.currency, body.owner)

        async def make(uow: UnitOfWork) -> Requested:
            await check_room(room, uow)
            return await enter.enter_portfolio(new, entered.terms, uow, as_of=as_of)

        async with unit_of_work() as uow:
            accepted = await making.once(body, make, uow)
        understood = UnderstoodView.of(new, entered.terms, entered.file)
        return PortfolioAccepted(**accepted.model_dump(), understood=understood)

    @router.post(
        "/portfolios/{portfolio_id}/positions",
        status_code=201,
        responses=refused(404, 409, 503) | or_found(Accepted),
    )
    async def add_positions(
        portfolio_id: UUID, body: PositionsBody, making: MadeOnce, as_of: Day | None = None
    ) -> Accepted:
        """Store more positions and have everything they touch valued again."""
        target = _target(clock, as_of)
        terms = (await asyncio.to_thread(entered_of, body, today=clock.now().date())).terms

        async def make(uow: UnitOfWork) -> Requested:
            await check_room(room, uow)
            return await enter.enter_positions(portfolio_id, terms, uow, as_of=target)

        async with unit_of_work() as uow:
            return await making.once(body, make, uow)

    @router.post("/portfolios/{portfolio_id}/flows", status_code=201, responses=refused(404, 409) | or_found(Accepted))
    async def add_flow(portfolio_id: UUID, body: FlowBody, making: MadeOnce, as_of: Day | None = None) -> Accepted:
        """Store money paid in (positive) or taken out (negative), once, and have everything it touches valued again."""
        target, flow = _target(clock, as_of), _flow(portfolio_id, body)
        async with unit_of_work() as uow:
            return await making.once(body, partial(enter.enter_flow, flow, as_of=target), uow)

    @router.post("/portfolios/{portfolio_id}/calculate", status_code=202, responses=refused(404))
    async def calculate(portfolio_id: UUID, body: CalculateBody | None = None) -> CalculationAccepted:
        """Calculate a portfolio now, or join the calculation that is under way.

        The portfolio says what it holds and asks for its own run; `POST /runs` asks for any number of portfolios, over
        what they have said last.
        """
        asked = body or CalculateBody()
        last = _target(clock, asked.as_of)
        first = last if asked.first_session is None else _target(clock, asked.first_session, field="first_session")
        async with unit_of_work() as uow:
            requested = await request_calculation.calculate(
                portfolio_id, uow, first_session=first, as_of=last, requested_by="api"
            )
        return CalculationAccepted.begun(requested)


def _add_trying(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock) -> None:
    @router.post("/portfolios/dry-run", responses=refused(409))
    async def try_portfolio(body: PortfolioBody) -> UnderstoodView:
        """Say what a portfolio would be understood to be, or why it would be refused, and store nothing."""
        as_of = _target(clock, body.as_of)
        entered = await asyncio.to_thread(entered_of, body, today=clock.now().date())
        new = enter.NewPortfolio(body.name, body.opening_equity, body.opened_on or as_of, body.currency, body.owner)
        async with unit_of_work.trying() as uow:
            await enter.enter_portfolio(new, entered.terms, uow, as_of=as_of)
        return UnderstoodView.of(new, entered.terms, entered.file)

    @router.post("/portfolios/{portfolio_id}/positions/dry-run", responses=refused(404))
    async def try_positions(portfolio_id: UUID, body: PositionsBody, as_of: Day | None = None) -> UnderstoodView:
        """Say what a portfolio would be understood to be with more positions, or why not, and store nothing."""
        target = _target(clock, as_of)
        entered = await asyncio.to_thread(entered_of, body, today=clock.now().date())
        async with unit_of_work.trying() as uow:
            await enter.enter_positions(portfolio_id, entered.terms, uow, as_of=target)
            book = await lookup.get_portfolio(uow.connection, portfolio_id)
            held = await PortfolioRepository(uow.connection).load_positions([portfolio_id])
        whole = enter.NewPortfolio(book.name, book.opening_equity, book.opened_on, book.currency)
        return UnderstoodView.of(whole, [position.terms for position in held], entered.file)


def _add_standing(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock) -> None:
    @router.patch("/portfolios/{portfolio_id}", responses=refused(404, 409))
    async def describe_portfolio(portfolio_id: UUID, body: DescriptionBody, as_of: Day | None = None) -> Accepted:
        """Call a portfolio otherwise, or make it somebody else's; its id and its numbers stay."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.describe_portfolio(portfolio_id, body.changes(), uow, as_of=target))

    @router.post("/portfolios/{portfolio_id}/close", responses=refused(404, 409))
    async def close_portfolio(portfolio_id: UUID, body: CloseBody | None = None, as_of: Day | None = None) -> Accepted:
        """Value a portfolio no further than a session, whatever it holds; its history stays, and it can be reopened."""
        target = _target(clock, as_of)
        on = target if body is None or body.on is None else body.on
        async with unit_of_work() as uow:
            return Accepted.of(await close.close_portfolio(portfolio_id, on, uow, as_of=target))

    @router.post("/portfolios/{portfolio_id}/reopen", responses=refused(404, 409))
    async def reopen_portfolio(portfolio_id: UUID, as_of: Day | None = None) -> Accepted:
        """Let a closed portfolio go on, valued since the session that was its last."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await close.reopen_portfolio(portfolio_id, uow, as_of=target))


def _add_corrections(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock) -> None:
    @router.put("/portfolios/{portfolio_id}/positions/{position_id}", responses=refused(404, 409))
    async def correct_one_position(
        portfolio_id: UUID, position_id: UUID, body: PositionBody, as_of: Day | None = None
    ) -> Accepted:
        """Replace the terms of a position and have every session that it touches valued again."""
        target = _target(clock, as_of)
        try:
            terms = position_terms(body, today=clock.now().date())
        except ValueError as error:
            raise Problem.of_field("position", str(error)) from error
        async with unit_of_work() as uow:
            return Accepted.of(await correct.correct_position(portfolio_id, position_id, terms, uow, as_of=target))

    @router.delete("/portfolios/{portfolio_id}/positions/{position_id}", responses=refused(404))
    async def remove_position(portfolio_id: UUID, position_id: UUID, as_of: Day | None = None) -> Accepted:
        """Take a position away as if it had never been, and have every session that it touched valued again."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.remove_position(portfolio_id, position_id, uow, as_of=target))

    @router.post(
        "/portfolios/{portfolio_id}/positions/{position_id}/exits",
        status_code=201,
        responses=refused(404, 409) | or_found(Accepted),
    )
    async def exit_position(
        portfolio_id: UUID, position_id: UUID, body: ExitBody, making: MadeOnce, as_of: Day | None = None
    ) -> Accepted:
        """Close part of a position, or without a quantity what is left of it."""
        target, closing = _target(clock, as_of), Exit(body.on, body.price, body.quantity)
        async with unit_of_work() as uow:
            make = partial(correct.add_exit, portfolio_id, position_id, closing, as_of=target)
            return await making.once(body, make, uow)

    @router.put("/portfolios/{portfolio_id}/flows/{flow_id}", responses=refused(404, 409))
    async def correct_one_flow(portfolio_id: UUID, flow_id: UUID, body: FlowBody, as_of: Day | None = None) -> Accepted:
        """Replace date, amount and reference of a flow and have every session that it touches valued again."""
        target, flow = _target(clock, as_of), _flow(portfolio_id, body)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.correct_flow(flow_id, flow, uow, as_of=target))

    @router.delete("/portfolios/{portfolio_id}/flows/{flow_id}", responses=refused(404))
    async def remove_flow(portfolio_id: UUID, flow_id: UUID, as_of: Day | None = None) -> Accepted:
        """Take a flow away as if it had never been, and have every session that it touched valued again."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.remove_flow(portfolio_id, flow_id, uow, as_of=target))


def _add_books(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/portfolios")
    async def list_portfolios(
        paging: Books,
        symbol: SymbolText | None = None,
        named: Annotated[Text | None, Query(description="a part of the name, in any case")] = None,
    ) -> Page[PortfolioView]:
        """List portfolios by name: those in which a symbol was ever held, those in whose name a text occurs, or all."""
        (after,) = paging.after(tuple[Text]) or ("",)
        async with unit_of_work.reading() as connection:
            repository = PortfolioRepository(connection)
            found = await repository.list_portfolios(symbol, named=named, after=after, limit=paging.wanted)
        return paging.page(found, PortfolioView.of, lambda portfolio: (portfolio.name,))

    @router.get("/portfolios/{portfolio_id}", responses=refused(404))
    async def get_portfolio(portfolio_id: UUID) -> PortfolioView:
        """Show a portfolio."""
        async with unit_of_work.reading() as connection:
            return PortfolioView.of(await lookup.get_portfolio(connection, portfolio_id))

    @router.get("/portfolios/{portfolio_id}/positions", responses=refused(404))
    async def list_positions(portfolio_id: UUID, paging: Books) -> Page[PositionView]:
        """List the positions of a portfolio as they were entered, by id."""
        (after,) = paging.after(tuple[UUID]) or (UUID(int=0),)
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            held = await PortfolioRepository(connection).load_positions([portfolio_id])
        found = [position for position in held if position.position_id > after]
        return paging.page(found, PositionView.of, lambda position: (position.position_id,))

    @router.get("/portfolios/{portfolio_id}/flows", responses=refused(404))
    async def list_flows(portfolio_id: UUID, paging: Books) -> Page[FlowView]:
        """List what was paid in and taken out, by date."""
        after = paging.after(tuple[date, UUID]) or (date.min, UUID(int=0))
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            stored = await EditRepository(connection).list_flows(portfolio_id)
        found = [entry for entry in stored if _flow_key(entry) > after]
        return paging.page(found, FlowView.of, _flow_key)

    @router.get("/portfolios/{portfolio_id}/edits", responses=refused(404))
    async def list_edits(portfolio_id: UUID, paging: Books) -> Page[EditView]:
        """List the corrections of a portfolio, the oldest first."""
        after = paging.after(tuple[Instant, UUID])
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            rows = await EditRepository(connection).list_edits(portfolio_id, after=after, limit=paging.wanted)
        return paging.page(rows, EditView.of, lambda row: (row.edited_at, row.edit_id))


def _add_values(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("/portfolios/{portfolio_id}/snapshots", responses=refused(404) | still_held())
    async def list_portfolio_snapshots(
        portfolio_id: UUID,
        selection: Annotated[SessionSelection, made(SessionSelection)],
        paging: Snapshots,
        held: Held,
    ) -> Page[SnapshotView]:
        """List a portfolio's snapshots, the oldest first."""
        wanted = selection.slice_of([portfolio_id], clock, paging.after(tuple[date, UUID]), paging.wanted)
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            rows = await SnapshotRepository(connection).list_snapshots(wanted)
        held.unless_held(revisions_of(rows))
        return paging.page(rows, SnapshotView.of, _snapshot_key)

    @router.get("/portfolios/{portfolio_id}/values", responses=refused(404) | still_held())
    async def list_portfolio_values(
        portfolio_id: UUID, paging: Books, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> Page[PositionValueView]:
        """List what each position was worth on the newest valued session on or before `as_of`, by symbol."""
        after = paging.after(tuple[Text, UUID]) or ("", UUID(int=0))
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            repository = SnapshotRepository(connection)
            session = await _last_session(repository, portfolio_id, until=until, known_at=known_at)
            one = Slice((portfolio_id,), session, session, known_at, limit=1)
            rows = sorted(await repository.list_position_values(one), key=_value_key)
        held.unless_held(valued_of(rows))
        return paging.page([row for row in rows if _value_key(row) > after], PositionValueView.of, _value_key)

    @router.get("/snapshots", responses=still_held())
    async def list_snapshots(
        selection: Annotated[PortfolioSelection, made(PortfolioSelection)], paging: Snapshots, held: Held
    ) -> Page[SnapshotView]:
        """List snapshots by as_of and portfolio."""
        wanted = selection.slice(clock, paging.after(tuple[date, UUID]), paging.wanted)
        async with unit_of_work.reading() as connection:
            rows = await SnapshotRepository(connection).list_snapshots(wanted)
        held.unless_held(revisions_of(rows))
        return paging.page(rows, SnapshotView.of, _snapshot_key)


def _add_analysis(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock, panel: PricePanel) -> None:
    @router.get("/portfolios/{portfolio_id}/explain/{measure}", responses=refused(404, 409))
    async def explain_measure(
        portfolio_id: UUID, measure: str, as_of: Day | None = None, known_at: Instant | None = None
    ) -> Explanation:
        """Show what an amount of a snapshot was made from, and compute it again from that."""
        if measure not in EXPLAINED:
            raise Problem(404, f"there is no amount {measure!r}; there are {', '.join(EXPLAINED)}")
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            repository = SnapshotRepository(connection)
            session = await _last_session(repository, portfolio_id, until=until, known_at=known_at)
            one = Slice((portfolio_id,), session, session, known_at, limit=1)
            (snapshot,) = await repository.list_snapshots(one)
            values = await repository.list_position_values(one)
            prices = await load_last_prices(connection, priced_symbols(values), session)
            inputs = await gather(
                (portfolio_id,), (session,), connection=connection, panel=panel, shelf=PositionShelf()
            )
        try:
            rolled = await asyncio.to_thread(roll, inputs)
        except AmountOutOfRange as error:
            raise Problem(
                409, f"the snapshot of {session} cannot be computed from the prices of now: {error}"
            ) from error
        return explain(measure, snapshot, values, rolled, prices=prices)


def _snapshot_key(row: SnapshotRow) -> tuple[date, UUID]:
    return row.as_of, row.portfolio_id


def _value_key(row: PositionValueRow) -> tuple[str, UUID]:
    return row.symbol, row.position_id


def _flow_key(stored: StoredFlow) -> tuple[date, UUID]:
    return stored.flow.on, stored.flow_id


async def _last_session(
    repository: SnapshotRepository, portfolio_id: UUID, *, until: date, known_at: datetime | None
) -> date:
    session = await repository.find_last_session(portfolio_id, until=until, known_at=known_at)
    if session is None:
        raise Problem(404, f"portfolio {portfolio_id} has no snapshot on or before {until}")
    return session


def _flow(portfolio_id: UUID, body: FlowBody) -> Flow:
    if body.amount == 0:
        raise Problem.of_field("amount", "must not be zero")
    return Flow(portfolio_id, body.on, body.amount, body.reference)


def _target(clock: SessionClock, day: date | None, *, field: str = "as_of") -> date:
    newest = clock.last_closed_session()
    if day is None:
        return newest
    if day > newest or not is_session(day):
        raise Problem.of_field(field, f"must be a closed session, at most {newest}, was {day}")
    return day
