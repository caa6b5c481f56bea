"""Let the second stage of a night go on: the portfolios whose symbols are in, the rest when the first has ended."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from services.scheduler.commands.open_run import open_or_join
from services.scheduler.core.schedule import Outcome
from services.scheduler.core.second_stage import Settled, reaches_back, settled_books
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.schedule_repository import Fire, ScheduleRepository, StageRun
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.run import After, PartOf, Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork


async def go_on_waiting(uow: UnitOfWork, *, about: UUID | None = None) -> list[Fire]:
    """Let the fires that wait for symbols go on as far as they can; return them as they are then.

    Where there is news of one run, those that it is news for: each part of each run has some.
    """
    waiting = await ScheduleRepository(uow.connection).lock_waiting_fires(about=about)
    return [await go_on(fire, uow) for fire in waiting]


async def go_on(fire: Fire, uow: UnitOfWork) -> Fire:
    """Ask for the portfolios that have what they wait for, one run at a time; return the fire as it is then.

    While the symbols are under way, for those whose every symbol is in; once they have ended, however they did, for
    the rest.
    """
    schedule = ScheduleRepository(uow.connection)
    *_, symbols_run = await schedule.list_stage_runs(filter(None, [fire.waits_for]))
    asked = await schedule.list_stage_runs(fire.run_ids)
    if not all(run.has_ended for run in asked):
        return fire
    run = await _next_run(fire, symbols_run, asked, uow)
    gone_on = fire
    if run is not None:
        opened, _ = await open_or_join(run, uow)
        gone_on = replace(gone_on, run_ids=(*fire.run_ids, opened.run_id))
    if symbols_run.has_ended:
        everybody_goes = run is not None and run.portfolio_ids is None
        gone_on = replace(gone_on, outcome=Outcome.REQUESTED, detail="" if everybody_goes else _left_out(asked))
    if gone_on != fire:
        await schedule.store_answer(gone_on)
    return gone_on


async def ask_again(fire: Fire, uow: UnitOfWork) -> Fire:
    """Let a fire that waits, locked, ask for the portfolios of runs that did not serve them, too; return it then."""
    schedule = ScheduleRepository(uow.connection)
    serving = [run.run.run_id for run in await schedule.list_stage_runs(fire.run_ids) if not run.has_failed]
    asking = replace(fire, run_ids=tuple(serving))
    await schedule.store_answer(asking)
    return await go_on(asking, uow)


def _left_out(asked: Sequence[StageRun]) -> str:
    cancelled = ", ".join(str(run.run.run_id) for run in asked if run.status is RunStatus.CANCELLED)
    told = f"without the portfolios of run {cancelled}, which was cancelled; a trigger by hand asks for them"
    return told if cancelled else ""


async def _next_run(fire: Fire, symbols_run: StageRun, asked: Sequence[StageRun], uow: UnitOfWork) -> Run | None:
    after = After(run_id=symbols_run.run.run_id)
    said = await CellRepository(uow.connection).load_parts_of_run(after.run_id)
    books = await BookRepository(uow.connection).load_books()
    if not symbols_run.has_ended:
        settled = settled_books(books, said, fire.session, but=_portfolios_of(asked))
        parts = After(run_id=after.run_id, parts=tuple(_parts(settled)))
        return _run(fire, symbols_run, settled.portfolio_ids, parts) if settled.portfolio_ids else None
    # What failed early is among the rest; what was cancelled was not wanted.
    served = _portfolios_of([run for run in asked if run.status is not RunStatus.FAILED])
    # Nothing more comes of symbols that were cancelled.
    whole = None if symbols_run.status is RunStatus.CANCELLED else after
    if not served or reaches_back(said, symbols_run.run.first_session):
        return _run(fire, symbols_run, None, whole)
    rest = [book.portfolio_id for book in books if book.open_on(fire.session) and book.portfolio_id not in served]
    return _run(fire, symbols_run, rest, whole) if rest else None


def _portfolios_of(runs: Sequence[StageRun]) -> frozenset[str]:
    return frozenset(str(portfolio_id) for run in runs for portfolio_id in run.run.portfolio_ids or ())


def _parts(settled: Settled) -> Iterator[PartOf]:
    for index in settled.bars_parts:
        yield PartOf(topic=PricesUpdated.topic, index=index)
        # The profiles of the same shard.
        yield PartOf(topic=ProfilesUpdated.topic, index=index)
    yield from (PartOf(topic=SymbolsFactored.topic, index=index) for index in settled.factors_parts)


def _run(fire: Fire, symbols_run: StageRun, portfolio_ids: Sequence[str] | None, after: After | None) -> Run:
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
