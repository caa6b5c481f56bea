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
from services.scheduler.storage.repository import SchedulerRepository, Standing, scope_of
from shared.contracts.event import Event, Failure
from shared.contracts.portfolio import PortfoliosValued, SymbolsOnboarding
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork
from shared.errors import ContradictingTotal

log = structlog.get_logger("scheduler")


async def record_progress(event: Event, uow: UnitOfWork) -> None:
    """Record the part; when every stage of the run is in, close the run and announce it.

    Of a run that is not known yet the part is kept until the event comes that opens it. Portfolios that wait for
    symbols go on when theirs have come, or no more will.
    """
    repository, run_id = SchedulerRepository(uow.connection), event.run.run_id
    if isinstance(event, SymbolsOnboarding):
        await _open(event, uow)
    parts = cell_parts(event)
    # Locked before the part is stored: the parts of a run are seen in the order of their places.
    standing = await repository.find_standing(run_id, lock=True)
    if standing is None:
        await repository.lock_opening(run_id)
        standing = await repository.find_standing(run_id, lock=True)
    asked_at = None if standing is None else standing.requested_at
    await CellRepository(uow.connection).append_parts(event, parts, asked_at=asked_at)
    if standing is not None and isinstance(event, PortfoliosValued):
        await _learn_books(event, uow)
    await repository.store_part(event)
    has_ended = await _close(event, standing, repository, uow)
    if has_ended or isinstance(event, SymbolsFactored):
        await go_on_waiting(uow, about=run_id)


async def _open(event: SymbolsOnboarding, uow: UnitOfWork) -> None:
    """Make the run known that a service began, with what has come of it before."""
    repository, run = SchedulerRepository(uow.connection), event.run
    await BookRepository(uow.connection).store_books(stated_books(event))
    await repository.lock_opening(run.run_id)
    if await repository.store_run(run, scope=f"{scope_of(run)} run={run.run_id}"):
        await CellRepository(uow.connection).adopt_parts(run.run_id)
        await make_way(run, uow)
        log.info("run opened", **outline(run))


async def _learn_books(event: PortfoliosValued, uow: UnitOfWork) -> None:
    """Keep the books that nobody has told of, as far as their valuation shows them."""
    repository = BookRepository(uow.connection)
    unknown = await repository.find_unknown({snapshot.portfolio_id for snapshot in event.snapshots})
    # What is known already, as all of a usual night, is not made up again.
    await repository.append_unknown(seen_books(event, unknown))


async def _close(event: Event, standing: Standing | None, repository: SchedulerRepository, uow: UnitOfWork) -> bool:
    """Close the run if this was its last part."""
    if standing is None or standing.status is not RunStatus.ACTIVE:
        return False
    tallies = await repository.load_tallies(event.run.run_id)
    if any(entry.contradicted and entry.closed_at is None for entry in tallies):
        tallies = await _close_contradicted(event.run.run_id, tallies, repository)
    _tell_if_finished(event.topic, standing, tallies)
    stored = await repository.find_run(event.run.run_id) if run_ended(tallies) else None
    if stored is None:
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


def _tell_if_finished(stage: str, standing: Standing, tallies: Sequence[StageTally]) -> None:
    for count in stage_counts(standing.requested_at, tallies):
        if count.stage == stage and count.parts_done == count.parts_total:
            log.info(
                "stage finished",
                stage=stage,
                parts=count.parts_done,
                subjects=count.subjects,
                failures=count.failures,
                seconds=round(count.seconds or 0.0, 2),
            )
