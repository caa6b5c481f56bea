"""What happens in a run over HTTP: its log in pages, and as a stream while it goes on."""

from collections.abc import AsyncIterable
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.scheduler.commands.errors import UnknownRun
from services.scheduler.commands.follow_run import RunFeeds
from services.scheduler.core.activity import Pace
from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.storage.repository import SchedulerRepository
from services.scheduler.web.views import LineView, ToldLine
from shared.admission import Streams
from shared.auth import caller_of
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.pages import Page, Paging, Place, paged

Lines = Annotated[Paging, paged(1000, most=1000)]
LastEventId = Annotated[
    int,
    Header(alias="Last-Event-ID", ge=-1, le=2**63 - 1, description="the last `id` that was received: go on behind it"),
]


def build_router(unit_of_work: UnitOfWorkFactory, feeds: RunFeeds) -> APIRouter:
    """Return the routes of what happens in runs."""
    router = APIRouter()

    @router.get("/runs/{run_id}/log", responses=refused(404))
    async def list_lines(run_id: UUID, paging: Lines) -> Page[LineView]:
        """List what happened in a run, the oldest first.

        Parts that come after its end are listed behind it: they change nothing.
        """
        (after,) = paging.after(tuple[Place]) or (-1,)
        async with unit_of_work.reading() as connection:
            if await SchedulerRepository(connection).find_run(run_id) is None:
                raise UnknownRun(run_id)
            lines = await LogRepository(connection).list_lines(run_id, after=after, limit=paging.wanted)
        return paging.page(lines, LineView.of, lambda line: (line.place,))

    # Before the stream begins: within it there is no status to say it with.
    async def pace_of(run_id: UUID) -> Pace:
        async with unit_of_work.reading() as connection:
            pace = await LogRepository(connection).find_pace(run_id)
        if pace is None:
            raise UnknownRun(run_id)
        return pace

    @router.get(
        "/runs/{run_id}/events",
        response_class=EventSourceResponse,
        responses=refused(404),
        dependencies=[Depends(Streams())],
    )
    async def follow(
        run_id: UUID,
        pace: Annotated[Pace, Depends(pace_of)],
        until: Annotated[datetime | None, Depends(_known_until)],
        last_event_id: LastEventId = -1,
    ) -> AsyncIterable[ToldLine]:
        """Stream the lines of the log as they come, until the run has ended; what has happened already comes first.

        The `id` of an event is the line's place, `event` what it is about, `data` the line as JSON with `eta_s`: how
        many seconds were left then, null without a past to learn from. The last event is `ended`: a stream that breaks
        off before it is taken up again with Last-Event-ID. One that is asked for with a cookie does so after minutes.
        """
        async with aclosing(feeds.follow(run_id, after=last_event_id, until=until)) as lines:
            async for line in lines:
                told = ServerSentEvent(id=str(line.place), event=line.what.value, data=ToldLine.told(line, pace))
                yield told  # type: ignore[misc] # the type is what OpenAPI says that `data` is

    return router


def _known_until(request: Request) -> datetime | None:
    # Who is no longer let in, or no longer an owner, finds that out when they ask again.
    caller = caller_of(request)
    return None if caller is None else caller.until
