"""Ask for a run: of portfolios that are known, over what they hold, once where the same is under way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final
from uuid import UUID

from services.scheduler.commands.errors import OtherRunUnderWay, UnknownPortfolios, UnusableSession
from services.scheduler.commands.open_run import RunRequest, open_or_join, open_run, run_of
from services.scheduler.core.backfill_plan import Scope, Selection
from services.scheduler.core.books import Book
from services.scheduler.core.overlap import overlap
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.contracts.run import Run, RunKind
from shared.db.keyed_requests import answer_once
from shared.db.unit_of_work import UnitOfWork

# Nights join by their session and go on from one another; a backfill's steps wait until nothing live runs.
_OWN_RULES: Final = frozenset({RunKind.NIGHTLY, RunKind.BACKFILL})


async def request_run(
    request: RunRequest,
    uow: UnitOfWork,
    *,
    newest: date,
    settings: SchedulerSettings,
    key: str | None = None,
    beside: bool = False,
) -> tuple[UUID, bool]:
    """Open the run and trigger it, or find the same one under way; return it and whether it is new.

    Portfolios without symbols are computed over what they hold in the sessions of the run. The same is a run of the
    same kind, sessions, symbols and portfolios; without a first session, whatever that of the run is. Another one under
    way is in the way where both would write the same cells: with a session in common and, at it, a portfolio, or where
    either has none, a symbol. Portfolios that only hold the same symbols are computed beside one another. Nights and
    backfills are in nobody's way and refused by nobody: they have rules of their own. A run that is to be computed
    `beside` others is refused by nobody either.

    Raises
    ------
    UnusableSession
        If a bound is no session, lies in the future, is before a portfolio's first session, or the bounds are in the
        wrong order.
    UnknownPortfolios
        If no book is known of any of them.
    OtherRunUnderWay
        If a run that is not the same would compute some of the same cells.
    IdempotencyKeyReused
        If the key stands for another request.
    """

    async def open_or_find() -> tuple[UUID, bool]:
        run = await _over_what_is_held(run_of(request, newest=newest), uow)
        if beside or run.kind in _OWN_RULES:
            asked = replace(request, symbols=run.symbols)
            opened, is_new = await open_run(asked, uow, newest=newest, settings=settings)
        else:
            opened, is_new = await open_on_demand(run, request.first_session, uow)
        return opened.run_id, is_new

    said = f"{request.kind} run of {request.first_session} to {request.last_session} {scope_of(request)}"
    return await answer_once(uow.connection, key, said, UUID, open_or_find)


async def _over_what_is_held(run: Run, uow: UnitOfWork) -> Run:
    """Return the run over the symbols of the portfolios that it names, unless it names symbols."""
    if not run.portfolio_ids:
        return run
    books = await BookRepository(uow.connection).load_books(run.portfolio_ids)
    _check_books(books, run)
    if run.symbols is not None:
        return run
    held = {symbol for book in books for symbol in book.symbols_between(run.first_session, run.last_session)}
    return run.model_copy(update={"symbols": tuple(sorted(held))})


def _check_books(books: Sequence[Book], run: Run) -> None:
    known = {UUID(book.portfolio_id) for book in books}
    unknown = [portfolio_id for portfolio_id in run.portfolio_ids or () if portfolio_id not in known]
    if unknown:
        raise UnknownPortfolios(unknown)
    for book in books:
        if book.opened_on > run.last_session:
            required = f"must not be before {book.opened_on}, the first session of portfolio {book.portfolio_id}"
            raise UnusableSession("last_session", required, day=run.last_session)
        if book.closed_on is not None and book.closed_on < run.first_session:
            required = f"must not be after {book.closed_on}, the last session of portfolio {book.portfolio_id}"
            raise UnusableSession("first_session", required, day=run.first_session)


async def open_on_demand(run: Run, first_session: date | None, uow: UnitOfWork) -> tuple[Run, bool]:
    """Open the run and trigger it, or find the same one under way; without a first session, from any.

    Raises
    ------
    OtherRunUnderWay
        If a run that is not the same would compute some of the same cells.
    """
    repository, asked = SchedulerRepository(uow.connection), selection_of(run)
    await repository.lock_requests()
    under_way = [
        active.run
        for active in await repository.list_active_runs(run.first_session, run.last_session)
        if active.run.kind is run.kind and overlap(selection_of(active.run), asked)
    ]
    for other in under_way:
        if selection_of(other) == replace(asked, first=first_session or other.first_session):
            return other, False
    if under_way:
        raise OtherRunUnderWay(under_way[0])
    return await open_or_join(run, uow)


def selection_of(run: Run) -> Selection:
    """Return what a run computes."""
    return Selection(run.first_session, run.last_session, Scope.of(run.symbols, run.portfolio_ids))
