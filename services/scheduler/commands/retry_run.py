"""Have what a run left undone computed again."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.commands.errors import NothingFailed, RunGoesOn, UnknownRun
from services.scheduler.commands.request_run import open_on_demand, selection_of
from services.scheduler.core.backfill_plan import Scope
from services.scheduler.core.books import Expected
from services.scheduler.core.cells import Fact, grid_of
from services.scheduler.core.retry import NOBODY, Undone, undone_of
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.db.keyed_requests import answer_once
from shared.db.unit_of_work import UnitOfWork


async def retry_run(
    run_id: UUID, uow: UnitOfWork, *, requested_by: str, named: Scope = NOBODY, key: str | None = None
) -> tuple[UUID, bool]:
    """Open one run over what another could not do, or find the same one under way; return it and whether it is new.

    Over the symbols and portfolios that failed or never came, and the portfolios that hold those symbols, from the
    first session to the last at which they did. What has been done since is left out, unless it is `named`.

    Raises
    ------
    UnknownRun, RunGoesOn, NothingFailed
        If there is nothing to do again.
    OtherRunUnderWay
        If a run that is not the same would compute some of the same cells.
    IdempotencyKeyReused
        If the key stands for another request.
    """
    asked = partial(_open_retry, run_id, uow, requested_by, named)
    return await answer_once(uow.connection, key, f"retry of {run_id}", UUID, asked)


async def _open_retry(run_id: UUID, uow: UnitOfWork, requested_by: str, named: Scope) -> tuple[UUID, bool]:
    undone = await find_undone(run_id, uow.connection, named=named)
    run = Run(
        run_id=uuid4(),
        kind=RunKind.ON_DEMAND,
        first_session=undone.first,
        last_session=undone.last,
        symbols=undone.symbols,
        portfolio_ids=tuple(map(UUID, undone.portfolio_ids)),
        requested_by=f"retry of {run_id} by {requested_by}"[:200],
    )
    opened, is_new = await open_on_demand(run, run.first_session, uow)
    return opened.run_id, is_new


async def find_undone(run_id: UUID, connection: AsyncConnection, *, named: Scope = NOBODY) -> Undone:
    """Return what a run could not do and nobody has done since, and what is named.

    Raises
    ------
    UnknownRun, RunGoesOn, NothingFailed
        If there is nothing to do again.
    """
    stored = await SchedulerRepository(connection).find_run(run_id)
    if stored is None:
        raise UnknownRun(run_id)
    if stored.status is RunStatus.ACTIVE:
        raise RunGoesOn(run_id)
    selection = selection_of(stored.run)
    parts = await CellRepository(connection).load_parts(selection.first, selection.last, tuple(Fact))
    books = await BookRepository(connection).load_books()

    def look() -> Undone | None:
        grid = grid_of(parts)
        own = [said for said in parts if said.run_id == run_id]
        return undone_of(selection, own, grid, Expected.of(books, grid), named=named)

    undone = await asyncio.to_thread(look)
    if undone is None:
        raise NothingFailed(run_id)
    return undone
