"""Whether portfolios are ready over HTTP: one line each, or one in detail with causes and what to do."""

import asyncio
from collections import Counter
from datetime import date
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter

from services.scheduler.core.books import Book
from services.scheduler.core.readiness import PortfolioReadiness, Readiness, as_owners_know, readiness_of
from services.scheduler.core.remembered import Remembered
from services.scheduler.storage.readiness_inputs import ReadinessInputs, Shelves, load_readiness
from services.scheduler.web.cell_views import ReadinessLine, ReadinessList, ReadinessView
from services.scheduler.web.problems import unknown_portfolio
from shared.calendar import FIRST_SESSION, is_session, session_on_or_before
from shared.clock import SessionClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.pages import Paging, paged
from shared.problems import Problem
from shared.selection import Day

# Of viewers, who see all portfolios, and of owners who look while those do.
_QUESTIONS: Final = 16

Portfolios = Annotated[Paging, paged(500, most=1000)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, shelves: Shelves) -> APIRouter:
    """Return the routes of readiness."""
    router = APIRouter()
    known: Remembered[list[PortfolioReadiness]] = Remembered(_QUESTIONS)

    @router.get("/readiness")
    async def list_readiness(
        paging: Portfolios, as_of: Day | None = None, state: Readiness | None = None
    ) -> ReadinessList:
        """Say of every portfolio that is open whether it is ready at a session, by default the last closed one.

        Counts are of all of them, items by id.
        """
        (after,) = paging.after(tuple[UUID]) or (UUID(int=0),)
        session = _session(as_of, clock)
        inputs = await load_readiness(unit_of_work, session, shelves)
        found = await asyncio.to_thread(found_before, known, inputs)
        behind = [each for each in found if state in {None, each.state} and each.portfolio_id > str(after)]
        page, following = paging.cut(behind, lambda each: (each.portfolio_id,))
        return ReadinessList(
            as_of=session,
            dead_letters=inputs.letters,
            counts=dict.fromkeys(Readiness, 0) | Counter(each.state for each in found),
            items=[ReadinessLine.of(each) for each in page],
            next=following,
        )

    @router.get("/readiness/{portfolio_id}", responses=refused(404))
    async def get_readiness(portfolio_id: UUID, as_of: Day | None = None) -> ReadinessView:
        """Say whether a portfolio is ready at a session, and if not: what is under way, what blocks it, what to do."""
        session = _session(as_of, clock)
        inputs = await load_readiness(unit_of_work, session, portfolio_id)
        if not inputs.books:
            raise unknown_portfolio(portfolio_id)
        if not (found := readiness_of_all(inputs)):
            raise Problem(404, _not_open(inputs.books[0], session))
        return ReadinessView.model_validate(found[0], from_attributes=True)

    return router


def readiness_of_all(inputs: ReadinessInputs) -> list[PortfolioReadiness]:
    """Return how each portfolio stands that is open, as the caller may know it."""
    as_of = inputs.situation.as_of
    found = [readiness_of(book, inputs.situation) for book in inputs.books if book.open_on(as_of)]
    return found if inputs.seen is None else [as_owners_know(each, inputs.seen) for each in found]


def found_before(known: Remembered[list[PortfolioReadiness]], inputs: ReadinessInputs) -> list[PortfolioReadiness]:
    """Return how each portfolio stands: as was found before, where the same is asked by who may know as much."""
    situation = inputs.situation
    question = (situation.as_of, situation.runs, situation.letters, len(inputs.books), inputs.seen)
    made_from = [*inputs.books, *situation.grid.values()]
    return known.answer(question, made_from, partial(readiness_of_all, inputs))


def _not_open(book: Book, session: date) -> str:
    if session < book.opened_on:
        return f"portfolio {book.portfolio_id} opens on {book.opened_on}, after {session}"
    return f"portfolio {book.portfolio_id} was closed on {book.closed_on}, before {session}"


def _session(as_of: date | None, clock: SessionClock) -> date:
    newest = clock.last_closed_session()
    session = as_of or newest
    if not FIRST_SESSION <= session <= newest:
        raise Problem.of_field("as_of", f"must lie between {FIRST_SESSION} and {newest}, was {session}")
    if not is_session(session):
        before = session_on_or_before(session)
        raise Problem.of_field("as_of", f"must be a session (the one before is {before}), was {session}")
    return session
