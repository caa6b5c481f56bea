"""Past batches as administrators know them: the runs of the last days, one in detail, its log."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from services.scheduler.commands.errors import UnknownRun
from services.scheduler.commands.find_causes import find_causes
from services.scheduler.core.activity import Line
from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.storage.repository import RunFilter, SchedulerRepository
from services.scheduler.web.batch_views import (
    BatchDetail,
    BatchStatus,
    History,
    HistoryEntry,
    HistorySummary,
    Log,
    LogEntry,
)
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.printable import printable

Days = Annotated[int, Query(ge=1, le=90, description="runs that were asked for in so many days")]
_PAGE = 1000


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of past batches."""
    router = APIRouter(prefix="/admin/batch/history")
    _add_lists(router, unit_of_work, clock)
    _add_one(router, unit_of_work)
    return router


def _add_lists(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("")
    async def list_history(
        days: Days = 30,
        status: Annotated[BatchStatus | None, Query(description="only those that stand so")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="runs to show")] = 50,
    ) -> History:
        """List the runs of the past days, the newest request first."""
        since = clock.now() - timedelta(days=days)
        only = RunFilter(status=None if status is None else status.run_status, since=since)
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            counts = await repository.count_runs(since)
            runs = await repository.list_runs(only, limit=limit)
            tallies = await repository.load_tallies_of([stored.run.run_id for stored in runs])
        return History(
            total_count=sum(each.runs for each in counts if only.status in {None, each.status}),
            days=days,
            status_filter=status,
            runs=[HistoryEntry.of(stored, tallies[stored.run.run_id]) for stored in runs],
        )

    @router.get("/summary")
    async def summarise_history(days: Days = 30) -> HistorySummary:
        """Summarise how the runs of the past days went."""
        since = clock.now() - timedelta(days=days)
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            counts = await repository.count_runs(since)
            newest = await repository.list_runs(RunFilter(since=since), limit=1)
        return HistorySummary.of(counts, newest[0] if newest else None, days)


def _add_one(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/{batch_run_id}", responses=refused(404))
    async def get_batch(batch_run_id: UUID) -> BatchDetail:
        """Show a run in detail."""
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            stored = await repository.find_run(batch_run_id)
            if stored is None:
                raise UnknownRun(batch_run_id)
            tallies = await repository.load_tallies(batch_run_id)
            causes = (await find_causes(batch_run_id, connection)).causes
        return BatchDetail.of(stored, tallies, causes)

    @router.get(
        "/{batch_run_id}/logs",
        response_model=Log,
        responses=refused(404) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def get_log(
        batch_run_id: UUID,
        format: Annotated[Literal["json", "txt"], Query(description="txt: a line an entry")] = "json",  # noqa: A002
        count_only: Annotated[bool, Query(description="how many there are, without them")] = False,
    ) -> Log | PlainTextResponse:
        """List what happened in a run, the oldest first, as JSON or as text."""
        async with unit_of_work.reading() as connection:
            if await SchedulerRepository(connection).find_run(batch_run_id) is None:
                raise UnknownRun(batch_run_id)
            lines = await load_log(LogRepository(connection), batch_run_id)
        if format == "txt":
            return PlainTextResponse("" if count_only else "".join(map(_text, lines)))
        entries = [] if count_only else [LogEntry.of(line) for line in lines]
        return Log(batch_run_id=batch_run_id, total_count=len(lines), entries=entries)


async def load_log(repository: LogRepository, run_id: UUID) -> list[Line]:
    """Return all lines of a run."""
    lines: list[Line] = []
    while page := await repository.list_lines(run_id, after=lines[-1].place if lines else -1, limit=_PAGE):
        lines += page
    return lines


def _text(line: Line) -> str:
    said = f"{line.level.value.upper():7} {line.stage or 'run'}: {line.message}"
    return f"{line.at:%Y-%m-%dT%H:%M:%S.%fZ} {printable(said)}\n"
