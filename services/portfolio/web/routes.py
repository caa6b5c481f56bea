"""portfolio over HTTP: enter books, read what they are worth."""

import asyncio
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.portfolio.commands import correct, enter, lookup, request_calculation
from services.portfolio.commands.check_room import Room, check_room
from services.portfolio.core.cents import AmountOutOfRange
from services.portfolio.core.positions import Exit, Flow
from services.portfolio.core.roll import roll
from services.portfolio.storage.edit_repository import EditRepository
from services.portfolio.storage.inputs import gather
from services.portfolio.storage.repository import PortfolioRepository
from services.portfolio.storage.snapshot_repository import SnapshotRepository
from services.portfolio.web.bodies import (
    CalculateBody,
    Day,
    ExitBody,
    FlowBody,
    PortfolioBody,
    PositionBody,
    PositionsBody,
    Selection,
    position_terms,
    terms_of,
)
from services.portfolio.web.explanation import EXPLAINED, Explanation, explain, priced_symbols
from services.portfolio.web.performance import Performance
from services.portfolio.web.views import (
    Accepted,
    EditView,
    FlowView,
    PortfolioView,
    PositionValueView,
    PositionView,
    SnapshotView,
)
from shared.calendar import is_session, shift_session
from shared.clock import Clock, SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.prices.last_prices import load_last_prices
from shared.prices.panel import PricePanel
from shared.problems import Problem
from shared.selection import Instant, Slice

MAX_SESSIONS = 10_000

Limit = Annotated[int, Query(ge=1, le=5_000)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, *, panel: PricePanel, room: Room) -> APIRouter:
    """Return the routes of portfolio."""
    router = APIRouter()
    _add_entering(router, unit_of_work, clock, room)
    _add_corrections(router, unit_of_work, clock)
    _add_books(router, unit_of_work)
    _add_values(router, unit_of_work, clock)
    _add_analysis(router, unit_of_work, clock, panel)
    return router


def _add_entering(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock, room: Room) -> None:
    @router.post("/portfolios", status_code=201)
    async def create_portfolio(body: PortfolioBody) -> Accepted:
        """Store a portfolio with its positions and have it valued; `run_id` tells how far that is."""
        as_of = _target(clock, body.as_of)
        terms = terms_of(body, today=clock.now().date())
        async with unit_of_work() as uow:
            await check_room(room, uow)
            new = enter.NewPortfolio(body.name, body.opening_equity, body.opened_on)
            return Accepted.of(await enter.enter_portfolio(new, terms, uow, as_of=as_of))

    @router.post("/portfolios/{portfolio_id}/positions", status_code=201)
    async def add_positions(portfolio_id: UUID, body: PositionsBody, as_of: Day | None = None) -> Accepted:
        """Store more positions and have everything they touch valued again."""
        target, terms = _target(clock, as_of), terms_of(body, today=clock.now().date())
        async with unit_of_work() as uow:
            await check_room(room, uow)
            return Accepted.of(await enter.enter_positions(portfolio_id, terms, uow, as_of=target))

    @router.post("/portfolios/{portfolio_id}/flows", status_code=201)
    async def add_flow(portfolio_id: UUID, body: FlowBody, as_of: Day | None = None) -> Accepted:
        """Store money paid in (positive) or taken out (negative) and have everything it touches valued again."""
        target, flow = _target(clock, as_of), _flow(portfolio_id, body)
        async with unit_of_work() as uow:
            return Accepted.of(await enter.enter_flow(flow, uow, as_of=target))

    @router.post("/portfolios/{portfolio_id}/calculate", status_code=202)
    async def calculate(portfolio_id: UUID, body: CalculateBody) -> Accepted:
        """Calculate a portfolio now, or join the calculation that is under way.

        The portfolio says what it holds and asks for its own run; `POST /runs` asks for any number of portfolios, over
        what they have said last.
        """
        last = _target(clock, body.as_of)
        first = last if body.first_session is None else _target(clock, body.first_session, field="first_session")
        async with unit_of_work() as uow:
            requested = await request_calculation.calculate(
                portfolio_id, uow, first_session=first, as_of=last, requested_by="api"
            )
        return Accepted.of(requested)


def _add_corrections(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: SessionClock) -> None:
    @router.put("/portfolios/{portfolio_id}/positions/{position_id}")
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

    @router.delete("/portfolios/{portfolio_id}/positions/{position_id}")
    async def remove_position(portfolio_id: UUID, position_id: UUID, as_of: Day | None = None) -> Accepted:
        """Take a position away as if it had never been, and have every session that it touched valued again."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.remove_position(portfolio_id, position_id, uow, as_of=target))

    @router.post("/portfolios/{portfolio_id}/positions/{position_id}/exits", status_code=201)
    async def exit_position(
        portfolio_id: UUID, position_id: UUID, body: ExitBody, as_of: Day | None = None
    ) -> Accepted:
        """Close part of a position, or without a quantity what is left of it."""
        target, closing = _target(clock, as_of), Exit(body.on, body.price, body.quantity)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.add_exit(portfolio_id, position_id, closing, uow, as_of=target))

    @router.put("/portfolios/{portfolio_id}/flows/{flow_id}")
    async def correct_one_flow(portfolio_id: UUID, flow_id: UUID, body: FlowBody, as_of: Day | None = None) -> Accepted:
        """Replace date and amount of a flow and have every session that it touches valued again."""
        target, flow = _target(clock, as_of), _flow(portfolio_id, body)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.correct_flow(flow_id, flow, uow, as_of=target))

    @router.delete("/portfolios/{portfolio_id}/flows/{flow_id}")
    async def remove_flow(portfolio_id: UUID, flow_id: UUID, as_of: Day | None = None) -> Accepted:
        """Take a flow away as if it had never been, and have every session that it touched valued again."""
        target = _target(clock, as_of)
        async with unit_of_work() as uow:
            return Accepted.of(await correct.remove_flow(portfolio_id, flow_id, uow, as_of=target))


def _add_books(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/portfolios")
    async def list_portfolios(after: str = "", limit: Limit = 500) -> list[PortfolioView]:
        """List portfolios by name; page on with the last name as `after`."""
        async with unit_of_work.reading() as connection:
            portfolios = await PortfolioRepository(connection).list_portfolios(after=after, limit=limit)
        return [PortfolioView.of(portfolio) for portfolio in portfolios]

    @router.get("/portfolios/{portfolio_id}")
    async def get_portfolio(portfolio_id: UUID) -> PortfolioView:
        """Show a portfolio."""
        async with unit_of_work.reading() as connection:
            return PortfolioView.of(await lookup.get_portfolio(connection, portfolio_id))

    @router.get("/portfolios/{portfolio_id}/positions")
    async def list_positions(portfolio_id: UUID) -> list[PositionView]:
        """List the positions of a portfolio as they were entered."""
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            positions = await PortfolioRepository(connection).load_positions([portfolio_id])
        return [PositionView.of(position) for position in positions]

    @router.get("/portfolios/{portfolio_id}/flows")
    async def list_flows(portfolio_id: UUID) -> list[FlowView]:
        """List what was paid in and taken out, by date."""
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            return [FlowView.of(stored) for stored in await EditRepository(connection).list_flows(portfolio_id)]

    @router.get("/portfolios/{portfolio_id}/edits")
    async def list_edits(portfolio_id: UUID) -> list[EditView]:
        """List the corrections of a portfolio, the oldest first."""
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            rows = await EditRepository(connection).list_edits(portfolio_id)
        return [EditView(**row._asdict()) for row in rows]


def _add_values(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("/portfolios/{portfolio_id}/snapshots")
    async def list_portfolio_snapshots(
        portfolio_id: UUID, selection: Annotated[Selection, Query()]
    ) -> list[SnapshotView]:
        """List a portfolio's snapshots, oldest first; page on with the last one's `as_of` as `after_as_of`."""
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            mine = selection.model_copy(update={"portfolio_id": [portfolio_id]})
            rows = await SnapshotRepository(connection).list_snapshots(mine.slice(clock))
        return [SnapshotView.of(row) for row in rows]

    @router.get("/portfolios/{portfolio_id}/values")
    async def list_portfolio_values(
        portfolio_id: UUID, as_of: Day | None = None, known_at: Instant | None = None
    ) -> list[PositionValueView]:
        """List what each position was worth on the newest valued session on or before `as_of`."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            repository = SnapshotRepository(connection)
            session = await _last_session(repository, portfolio_id, until=until, known_at=known_at)
            one = Slice((portfolio_id,), session, session, known_at, limit=1)
            rows = await repository.list_position_values(one)
        return [PositionValueView.of(row) for row in rows]

    @router.get("/snapshots")
    async def list_snapshots(selection: Annotated[Selection, Query()]) -> list[SnapshotView]:
        """List snapshots by as_of and portfolio; page on with the last one's keys as `after_...`."""
        async with unit_of_work.reading() as connection:
            rows = await SnapshotRepository(connection).list_snapshots(selection.slice(clock))
        return [SnapshotView.of(row) for row in rows]

    @router.get("/position-values")
    async def list_position_values(selection: Annotated[Selection, Query()]) -> list[PositionValueView]:
        """List position values by as_of and portfolio; `limit` counts snapshots; page on with the last one's keys."""
        async with unit_of_work.reading() as connection:
            rows = await SnapshotRepository(connection).list_position_values(selection.slice(clock))
        return [PositionValueView.of(row) for row in rows]


def _add_analysis(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock, panel: PricePanel) -> None:
    @router.get("/portfolios/{portfolio_id}/explain/{measure}")
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
            inputs = await gather((portfolio_id,), (session,), connection=connection, panel=panel)
        try:
            rolled = await asyncio.to_thread(roll, inputs)
        except AmountOutOfRange as error:
            raise Problem(
                409, f"the snapshot of {session} cannot be computed from the prices of now: {error}"
            ) from error
        return explain(measure, snapshot, values, rolled, prices=prices)

    @router.get("/portfolios/{portfolio_id}/performance")
    async def get_performance(
        portfolio_id: UUID, first: Day | None = None, last: Day | None = None, known_at: Instant | None = None
    ) -> Performance:
        """Show time- and money-weighted return and drawdown from the close before `first` to that of `last`."""
        until = last or clock.now().date()
        async with unit_of_work.reading() as connection:
            portfolio = await lookup.get_portfolio(connection, portfolio_id)
            since = max(first or portfolio.opened_on, portfolio.opened_on)
            repository = SnapshotRepository(connection)
            window = Slice((portfolio_id,), since, until, known_at, limit=MAX_SESSIONS)
            snapshots = await repository.list_snapshots(window)
            if not snapshots:
                raise Problem(404, f"portfolio {portfolio_id} has no snapshot from {since} to {until}")
            eve = shift_session(snapshots[0].as_of, -1)
            before = await repository.list_snapshots(Slice((portfolio_id,), eve, eve, known_at, limit=1))
        return Performance.of(portfolio, snapshots, before[0] if before else None)


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
    return Flow(portfolio_id, body.on, body.amount)


def _target(clock: SessionClock, day: date | None, *, field: str = "as_of") -> date:
    newest = clock.last_closed_session()
    if day is None:
        return newest
    if day > newest or not is_session(day):
        raise Problem.of_field(field, f"must be a closed session, at most {newest}, was {day}")
    return day
