"""The ledger of cells over HTTP: what is done, what failed and why, what nobody has asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.books import Book, Expected
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, Fact, Grid, grid_of
from services.scheduler.core.coverage import OneSymbol, Scope, cover, freshness, reasons_of
from services.scheduler.core.remembered import Remembered
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.cell_shelf import Range
from services.scheduler.storage.readiness_inputs import Shelves
from services.scheduler.web.cell_views import AgeView, CoverageView, ReasonView, SessionView
from services.scheduler.web.problems import unknown_portfolio
from shared.calendar import FIRST_SESSION, sessions_between, shift_session
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.pages import Paging, paged
from shared.problems import Problem
from shared.selection import Day, check_order, check_range
from shared.symbols import SymbolText

SESSIONS_OF_ONE = 66
SESSIONS_BACK = 30  # how far freshness looks back
SESSIONS_OF_ALL = 22  # over everything, with some 15,000 cells a session, also the most in a page
_FACTS = (*PORTFOLIO_FACTS, *SYMBOL_FACTS)

# Pages of everything.
_QUESTIONS = 16

Sessions = Annotated[Paging, paged(SESSIONS_OF_ONE, most=400, of="sessions (over everything at most 22)")]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is looked at, with what is known of it."""

    scope: Scope
    grid: Grid
    facts: tuple[Fact, ...]
    always: frozenset[str] | None
    books: tuple[Book, ...]
    portfolio_id: UUID | None = None
    symbol: str | None = None


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, shelves: Shelves) -> APIRouter:
    """Return the routes of the cells."""
    router = APIRouter()
    known: Remembered[CoverageView] = Remembered(_QUESTIONS)

    @router.get("/cells", responses=refused(404))
    async def list_cells(
        portfolio_id: UUID | None = None,
        symbol: SymbolText | None = None,
        first: Day | None = None,
        last: Day | None = None,
        *,
        paging: Sessions,
    ) -> CoverageView:
        """Show which cells of a portfolio and its symbols, of a symbol, or of everything are done.

        Without dates, the three months to the last closed session, of everything one. Reasons, ages and names are those
        of the page.
        """
        if portfolio_id is not None and symbol is not None:
            raise Problem(422, "name a portfolio or a symbol, not both")
        every = portfolio_id is None and symbol is None
        length = min(paging.limit, SESSIONS_OF_ALL) if every else paging.limit
        (after,) = paging.after(tuple[Day]) or (None,)
        since = first if after is None else after + timedelta(days=1)
        sessions = _range(since, last, length=length, newest=clock.last_closed_session())
        page, following = replace(paging, limit=length).cut(sessions, lambda session: (session,))
        # Who was done last before the page began is as old as that.
        window = sessions_between(min(page[0], shift_session(page[-1], 1 - SESSIONS_BACK)), page[-1])
        async with unit_of_work.reading() as connection:
            reader = _Reader(connection, CellRepository(connection), shelves, window)
            if portfolio_id is not None:
                looked = await reader.portfolio(portfolio_id)
            elif symbol is not None:
                looked = await reader.symbol(symbol)
            else:
                looked = await reader.everything()
        look = partial(_view, looked, page, window)
        if every:
            made_from = [*looked.books, *looked.grid.values()]
            look = partial(known.answer, (*page, *window), made_from, look)
        view = await asyncio.to_thread(look)
        return view.model_copy(update={"next": following})

    return router


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what was said at the sessions of a window."""

    connection: AsyncConnection
    cells: CellRepository
    shelves: Shelves
    window: list[date]

    async def portfolio(self, portfolio_id: UUID) -> _Looked:
        books = tuple(await BookRepository(self.connection).load_books([portfolio_id]))
        if not books:
            raise unknown_portfolio(portfolio_id)
        subject, scope = str(portfolio_id), Expected(books, {})
        first, last = self.window[0], self.window[-1]
        own = await self.cells.load_parts_of([subject], first, last, PORTFOLIO_FACTS)
        held = await self.cells.load_parts_of(sorted(scope.spans), first, last, SYMBOL_FACTS)
        grid = grid_of([*own, *held])
        return _Looked(scope, grid, _FACTS, frozenset([subject]), books, portfolio_id=portfolio_id)

    async def symbol(self, symbol: str) -> _Looked:
        every = await self.shelves.books.load_books(self.connection)
        books = tuple(book for book in every if any(each.symbol == symbol for each in book.holdings))
        span = Expected(books, {}).spans.get(symbol)
        if span is None:
            since = await self.cells.find_first_session(symbol, [Fact.FACTORS])
            if since is None:
                raise Problem(404, f"nothing is known of {symbol}")
            span = (since, date.max)
        parts = await self.cells.load_parts_of([symbol], self.window[0], self.window[-1], SYMBOL_FACTS)
        scope = OneSymbol(symbol, *span)
        return _Looked(scope, grid_of(parts), SYMBOL_FACTS, frozenset([symbol]), books, symbol=symbol)

    async def everything(self) -> _Looked:
        books = tuple(await self.shelves.books.load_books(self.connection))
        grid = await self.shelves.cells.load_grid(self.connection, Range(self.window[0], self.window[-1], _FACTS))
        return _Looked(Expected.of(books, grid), grid, _FACTS, None, books)


def _view(looked: _Looked, page: Sequence[date], window: list[date]) -> CoverageView:
    grid, scope, facts = looked.grid, looked.scope, looked.facts
    reasons = reasons_of(grid, scope, page, facts)
    ages = freshness(grid, scope, window[-SESSIONS_BACK:], facts)
    spoken_of = {subject for reason in reasons for subject in reason.subjects} | (looked.always or set())
    names = {book.portfolio_id: book.name for book in looked.books if book.name and book.portfolio_id in spoken_of}
    return CoverageView(
        portfolio_id=looked.portfolio_id,
        symbol=looked.symbol,
        items=[SessionView.of(each) for each in cover(grid, scope, page, facts, always=looked.always)],
        reasons=[ReasonView.model_validate(each, from_attributes=True) for each in reasons],
        freshness=[AgeView.model_validate(each, from_attributes=True) for each in ages],
        names=names,
        next=None,
    )


def _range(first: date | None, last: date | None, *, length: int, newest: date) -> list[date]:
    if first is not None and last is not None:
        check_order(first, last)
    until = min(last or newest, newest)
    since = max(first or shift_session(until, 1 - length), FIRST_SESSION)
    if since > newest:
        raise Problem.of_field("query.first", f"must not be after {newest}, the last closed session, was {since}")
    check_range(since, until)
    return sessions_between(since, until)
