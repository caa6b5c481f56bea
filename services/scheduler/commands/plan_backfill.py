"""Which cells a backfill would compute, in which steps, how long it would take and whom it would ask."""

import asyncio
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.commands.errors import UnknownSubjects, UnusableSession
from services.scheduler.core.backfill_plan import (
    Rates,
    Reprocess,
    Scope,
    Selection,
    Step,
    WantedCells,
    plan_steps,
    wanted_cells,
)
from services.scheduler.core.backfill_progress import Measured
from services.scheduler.core.books import Book, Expected
from services.scheduler.core.cells import Fact, SaidPart, grid_of
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.backfill_repository import BackfillRepository
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from shared.calendar import FIRST_SESSION, sessions_between

# Until steps have been measured: months of 500 symbols and 100 portfolios took 4 s and 7 s on two cores.
_UNMEASURED = Rates(symbol_session_s=0.0005, portfolio_session_s=0.0035)
# How much slower than estimated a step may be sized for.
_SLOWEST = 2.0


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would do.

    Attributes
    ----------
    symbols_to_fetch : int
        Symbols without a bar at a wanted session: providers are asked for the history of each at most once.
    seconds : float
        From the rates of the newest steps, while nothing else runs.
    """

    selection: Selection
    wanted: WantedCells
    steps: tuple[Step, ...]
    symbols_to_fetch: int
    seconds: float


def check_selection(first: date, last: date | None, scope: Scope, reprocess: Reprocess, *, newest: date) -> Selection:
    """Return the selection of [first, last], to the last closed session where there is no `last`.

    Raises
    ------
    UnusableSession
        If the bounds are in the wrong order or hold no session, or the last one lies in the future.
    """
    until = last or newest
    if until > newest:
        raise UnusableSession("last", f"must not be after the last closed session {newest}", day=until)
    if first > until:
        raise UnusableSession("first", f"must not be after {until}, the end of the range", day=first)
    if first < FIRST_SESSION:
        raise UnusableSession("first", f"must be a session on or after {FIRST_SESSION}", day=first)
    if not sessions_between(first, until):
        raise UnusableSession("last", f"must be a session or later, there is none since {first}", day=until)
    return Selection(first, until, scope, reprocess)


def rates_of(measured: Measured) -> Rates:
    """Return the measured rates, and estimates in the place of those that nothing has been measured of."""
    return Rates(
        measured.symbol_session_s or _UNMEASURED.symbol_session_s,
        measured.portfolio_session_s or _UNMEASURED.portfolio_session_s,
    )


async def plan_backfill(
    selection: Selection, connection: AsyncConnection, *, settings: SchedulerSettings
) -> BackfillPlan:
    """Plan a backfill of the selection; nothing is begun.

    Raises
    ------
    UnknownSubjects
        If a symbol or a portfolio of the selection is in no book and was never computed.
    """
    parts = await CellRepository(connection).load_parts(selection.first, selection.last, tuple(Fact))
    books = await BookRepository(connection).load_books()
    rates = rates_of(await BackfillRepository(connection).load_rates())
    return await asyncio.to_thread(_plan, selection, parts, books, rates, settings.backfill_step_s)


def _plan(selection: Selection, parts: list[SaidPart], books: list[Book], rates: Rates, step_s: float) -> BackfillPlan:
    grid = grid_of(parts)
    expected = Expected.of(books, grid)
    _check_scope(selection, expected)
    wanted = wanted_cells(grid, expected, selection)
    steps = plan_steps(wanted, _bounded(rates).size(step_s))
    seconds = sum(rates.seconds(step) for step in steps)
    return BackfillPlan(selection, wanted, steps, len(wanted.without_bars), seconds)


def _bounded(rates: Rates) -> Rates:
    # A part of what a step takes is the same for all of them: on a slow machine, steps that were sized by their own
    # rate would become ever smaller, and slower.
    return Rates(
        min(rates.symbol_session_s, _SLOWEST * _UNMEASURED.symbol_session_s),
        min(rates.portfolio_session_s, _SLOWEST * _UNMEASURED.portfolio_session_s),
    )


def _check_scope(selection: Selection, expected: Expected) -> None:
    scope = selection.scope
    known = {book.portfolio_id for book in expected.books}
    unknown = sorted((scope.portfolio_ids or frozenset()) - known)
    unknown += sorted((scope.symbols or frozenset()) - expected.spans.keys())
    if unknown:
        raise UnknownSubjects(tuple(unknown))
