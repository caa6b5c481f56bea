"""The log of a run over HTTP, in pages."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.scheduler.commands.errors import UnknownRun
from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.web.views import LineView
from shared.db.unit_of_work import UnitOfWorkFactory

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=-1, le=2**63 - 1)]


def build_router(unit_of_work: UnitOfWorkFactory) -> APIRouter:
    """Return the routes of the log of runs."""
    router = APIRouter()

    @router.get("/runs/{run_id}/log")
    async def list_lines(run_id: UUID, after: After = -1, limit: Limit = 1000) -> list[LineView]:
        """List what happened in a run, the oldest first; page on with the last `place` as `after`.

        Parts that come after its end are listed behind it: they change nothing.
        """
        async with unit_of_work.reading() as connection:
            if await SchedulerRepository(connection).find_run(run_id) is None:
                raise UnknownRun(run_id)
            lines = await LogRepository(connection).list_lines(run_id, after=after, limit=limit)
        return [LineView.of(line) for line in lines]

    return router
