"""Fold an event of a run into the ledgers of runs, cells and books, and close the run with its last part."""

from services.scheduler.core.ledger import run_complete
from services.scheduler.events import batch_completed
from services.scheduler.fan_out import go_on_waiting
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.book_rows import seen_books, stated_books
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.cell_rows import cell_parts
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.contracts.event import Event
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork


async def record_progress(event: Event, uow: UnitOfWork, *, settings: SchedulerSettings) -> None:
    """Record the part; when every stage of the run is in, close the run and announce it.

    Portfolios that wait for symbols go on when theirs have come, or no more will.
    """
    repository = SchedulerRepository(uow.connection)
    # A run that a service began (onboarding) becomes known by its first event, whichever that is.
    await repository.store_run(
        event.run, scope=f"{scope_of(event.run)} run={event.run.run_id}", deadline_s=settings.run_deadline_s
    )
    await repository.store_part(event)
    await CellRepository(uow.connection).append_parts(event, cell_parts(event))
    books = BookRepository(uow.connection)
    await books.store_books(stated_books(event))
    await books.append_unknown(seen_books(event))

    has_ended = await _close(event, repository, uow)
    if has_ended or isinstance(event, SymbolsFactored):
        await go_on_waiting(uow, deadline_s=settings.run_deadline_s)


async def _close(event: Event, repository: SchedulerRepository, uow: UnitOfWork) -> bool:
    """Close the run if this was its last part."""
    stored = await repository.find_run(event.run.run_id, lock=True)
    if stored is None or stored.status is not RunStatus.ACTIVE:
        return False
    tallies = await repository.load_tallies(event.run.run_id)
    if not run_complete(tallies):
        return False
    failed = sum(entry.failures for entry in tallies)
    status = RunStatus.COMPLETED_WITH_ERRORS if failed else RunStatus.COMPLETED

    await repository.finish_run(event.run.run_id, status)

    uow.emit(await batch_completed(stored, status, tallies, repository))
    return True
