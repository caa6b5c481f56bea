"""Fold an event of a run into the ledgers of runs, cells and books, and close the run with its last part."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from services.scheduler.commands.end_run import end_run
from services.scheduler.commands.go_on_with_portfolios import go_on_waiting
from services.scheduler.commands.make_way import make_way
from services.scheduler.core.ledger import StageTally, run_ended
from services.scheduler.events import outline, stage_counts
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.book_rows import seen_books, stated_books
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.cell_rows import cell_parts
from services.scheduler.storage.repository import SchedulerRepository, StoredRun, scope_of
from shared.contracts.event import Event, Failure
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork
from shared.errors import ContradictingTotal

log = structlog.get_logger("scheduler")


async def record_progress(event: Event, uow: UnitOfWork) -> None:
    """Record the part; when every stage of the run is in, close the run and announce it.

    Portfolios that wait for symbols go on when theirs have come, or no more will.
    """
    repository = SchedulerRepository(uow.connection)
    # A run that a service began (onboarding) becomes known by its first event, whichever that is.
    own_scope = f"{scope_of(event.run)} run={event.run.run_id}"
    if await repository.store_run(event.run, scope=own_scope):
        await make_way(event.run, uow)
        log.info("run opened", **outline(event.run))
    await CellRepository(uow.connection).append_parts(event, cell_parts(event))
    books = BookRepository(uow.connection)
    await books.store_books(stated_books(event))
    await books.append_unknown(seen_books(event))

    # Locked before the part is stored: the parts of a run are seen in the order of their places.
    stored = await repository.find_run(event.run.run_id, lock=True)
    await repository.store_part(event)
    has_ended = await _close(event, stored, repository, uow)
    if has_ended or isinstance(event, SymbolsFactored):
        await go_on_waiting(uow)


async def _close(event: Event, stored: StoredRun | None, repository: SchedulerRepository, uow: UnitOfWork) -> bool:
    """Close the run if this was its last part."""
    if stored is None or stored.status is not RunStatus.ACTIVE:
        return False
    tallies = await repository.load_tallies(event.run.run_id)
    if any(entry.contradicted and entry.closed_at is None for entry in tallies):
        tallies = await _close_contradicted(event.run.run_id, tallies, repository)
    _tell_if_finished(event.topic, stored, tallies)
    if not run_ended(tallies):
        return False
    await end_run(stored, tallies, uow)
    return True


async def _close_contradicted(
    run_id: UUID, tallies: Sequence[StageTally], repository: SchedulerRepository
) -> tuple[StageTally, ...]:
    """Close the stages whose parts say different totals: nobody knows when all of them are in."""
    for entry in tallies:
        if entry.contradicted and entry.closed_at is None:
            detail = "all parts of a stage must say how many there are"
            failure = Failure(subject=entry.contradicted, reason=ContradictingTotal.__name__, detail=detail)
            await repository.close_stage(run_id, entry, failure)
            log.error("stage closed: its parts contradict one another", run=str(run_id), parts=entry.contradicted)
    return await repository.load_tallies(run_id)


def _tell_if_finished(stage: str, stored: StoredRun, tallies: Sequence[StageTally]) -> None:
    for count in stage_counts(stored, tallies):
        if count.stage == stage and count.parts_done == count.parts_total:
            log.info(
                "stage finished",
                stage=stage,
                parts=count.parts_done,
                subjects=count.subjects,
                failures=count.failures,
                seconds=round(count.seconds or 0.0, 2),
            )
