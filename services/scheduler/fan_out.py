"""When the symbols that portfolios hold are in: the runs of a night's second stage."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from services.scheduler.core.schedule import Outcome
from services.scheduler.core.second_stage import Settled, reaches_back, settled_books
from services.scheduler.events import outline
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from services.scheduler.storage.schedule_repository import Fire, ScheduleRepository, StageRun
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.run import ONLY_PART, After, PartOf, Run, RunKind
from shared.contracts.scheduler import BatchTriggered
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")


async def open_or_join(run: Run, uow: UnitOfWork, *, deadline_s: float) -> tuple[Run, bool]:
    """Open the run and trigger it, or find the one of its kind, session and scope that is under way; tell which."""
    repository, scope = SchedulerRepository(uow.connection), scope_of(run)
    while not await repository.store_run(run, scope=scope, deadline_s=deadline_s):
        active = await repository.find_active_run(run, scope=scope)
        if active is not None:  # else it has ended meanwhile, and this one is opened
            return active.run, False
    uow.emit(BatchTriggered(run=run, part=ONLY_PART))
    log.info("run opened", **outline(run))
    return run, True


async def go_on_waiting(uow: UnitOfWork, *, deadline_s: float) -> list[Fire]:
    """Let the fires that wait for symbols go on as far as they can; return them as they are then."""
    waiting = await ScheduleRepository(uow.connection).lock_waiting_fires()
    return [await go_on(fire, uow, deadline_s=deadline_s) for fire in waiting]


async def go_on(fire: Fire, uow: UnitOfWork, *, deadline_s: float) -> Fire:
    """Ask for the portfolios that have what they wait for, one run at a time; return the fire as it is then.

    While the symbols are under way, for those whose every symbol is in; once they have ended, however they did, for
    the rest.
    """
    schedule = ScheduleRepository(uow.connection)
    *_, symbols_run = await schedule.list_stage_runs(filter(None, [fire.waits_for]))
    asked = await schedule.list_stage_runs(fire.run_ids)
    if not all(run.has_ended for run in asked):
        return fire
    served = frozenset(str(each) for run in asked if not run.has_failed for each in run.run.portfolio_ids or ())
    run = await _next_run(fire, symbols_run, served, uow)
    gone_on = fire
    if run is not None:
        opened, _ = await open_or_join(run, uow, deadline_s=deadline_s)
        gone_on = replace(gone_on, run_ids=(*fire.run_ids, opened.run_id))
    if symbols_run.has_ended:
        gone_on = replace(gone_on, outcome=Outcome.REQUESTED, detail="")
    if gone_on != fire:
        await schedule.store_answer(gone_on)
    return gone_on


async def _next_run(fire: Fire, symbols_run: StageRun, served: frozenset[str], uow: UnitOfWork) -> Run | None:
    session, run_id = fire.session, symbols_run.run.run_id
    said = await CellRepository(uow.connection).load_parts_of_run(run_id)
    if symbols_run.has_ended and (not served or reaches_back(said, symbols_run.run.first_session)):
        return _portfolios_run(fire, symbols_run, None, After(run_id=run_id))
    books = await BookRepository(uow.connection).load_books()
    if symbols_run.has_ended:
        due = [book.portfolio_id for book in books if book.opened_on <= session and book.portfolio_id not in served]
        return _portfolios_run(fire, symbols_run, due, After(run_id=run_id)) if due else None
    settled = settled_books(books, said, session, but=served)
    after = After(run_id=run_id, parts=tuple(_parts(settled)))
    return _portfolios_run(fire, symbols_run, settled.portfolio_ids, after) if settled.portfolio_ids else None


def _parts(settled: Settled) -> Iterator[PartOf]:
    for index in settled.bars_parts:
        yield PartOf(topic=PricesUpdated.topic, index=index)
        # The profiles of the same shard.
        yield PartOf(topic=ProfilesUpdated.topic, index=index)
    yield from (PartOf(topic=SymbolsFactored.topic, index=index) for index in settled.factors_parts)


def _portfolios_run(fire: Fire, symbols_run: StageRun, portfolio_ids: Sequence[str] | None, after: After) -> Run:
    return Run(
        run_id=uuid4(),
        kind=RunKind.NIGHTLY,
        first_session=symbols_run.run.first_session,
        last_session=fire.session,
        symbols=(),
        portfolio_ids=None if portfolio_ids is None else tuple(sorted(map(UUID, portfolio_ids))),
        requested_by=fire.requested_by,
        after=after,
    )
