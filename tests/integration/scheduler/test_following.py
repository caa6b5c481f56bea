"""A run that is followed while it goes on: every line once, from where it was left, whoever else follows it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.ops.hosting.server import listen, serve, url_of
from services.scheduler.commands import follow_run
from services.scheduler.commands.follow_run import RunFeeds
from services.scheduler.core.activity import What
from services.scheduler.core.ledger import STAGES
from services.scheduler.storage.log_repository import LogRepository
from services.scheduler.web import activity
from shared.clock import FixedClock
from shared.contracts.run import Run, RunKind
from shared.db.engine import StatementCounter
from shared.paths import API
from shared.principal import Principal, Role
from shared.service import Service, build_app
from tests.integration.scheduler.events import record, stage_event, whole_run
from tests.support.databases import VIEWER_TOKEN, ServiceDatabase
from tests.support.eventually import PATIENCE_S
from tests.support.people import SESSION_KEY, SESSIONS, signed_in
from tests.support.runs import make_run

# When no session is believed any more that is begun now.
LATER = datetime.now(UTC) + 2 * SESSIONS.lasting
TOKEN = {"Authorization": f"Bearer {VIEWER_TOKEN}"}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_run, "_LOOK_EVERY_S", 0.0)


@pytest.fixture
async def feeds(scheduler: Service) -> AsyncIterator[RunFeeds]:
    """The feeds of a process that keeps up."""
    feeds = RunFeeds(scheduler.unit_of_work, FixedClock(LATER))
    task = asyncio.create_task(feeds.keep_up())
    yield feeds
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def serving(
    scheduler: Service, database: ServiceDatabase, feeds: RunFeeds
) -> AsyncIterator[tuple[str, "asyncio.Task[None]"]]:
    """The routes on a port, without the consumers; and what serves them."""
    app = build_app([], database.common.model_copy(update={"session_key": SESSION_KEY}), title="followed")
    app.include_router(activity.build_router(scheduler.unit_of_work, feeds), prefix=API)
    app.state.closing = [feeds.close]
    listening = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        task = asyncio.create_task(serve(app, listener, listening.set))
        await listening.wait()
        yield url_of(listener), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def caller(serving: tuple[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client on a real connection: what is sent is seen before the answer ends."""
    async with httpx.AsyncClient(base_url=serving[0] + API, timeout=PATIENCE_S, trust_env=False) as caller:
        yield caller


async def _told(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a stream as its fields."""
    fields: dict[str, Any] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = json.loads(value) if name == "data" else value
        elif fields:
            yield fields
            fields = {}


async def _follow(caller: httpx.AsyncClient, run: Run, **headers: str) -> list[dict[str, Any]]:
    async with caller.stream("GET", f"/runs/{run.run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        return [event async for event in _told(answer)]


async def _places(scheduler: Service, run: Run) -> list[int]:
    async with scheduler.unit_of_work.reading() as connection:
        return [line.place for line in await LogRepository(connection).list_lines(run.run_id, after=-1, limit=1000)]


async def test_stream_tells_every_line_as_it_comes_and_ends_with_the_run(
    caller: httpx.AsyncClient, scheduler: Service
) -> None:
    run = make_run()
    first, *rest = whole_run(run)
    await record(scheduler, first)

    async with caller.stream("GET", f"/runs/{run.run_id}/events") as answer:
        told = aiter(_told(answer))
        seen = [await anext(told), await anext(told)]
        for event in rest:
            await record(scheduler, event)
            seen.append(await anext(told))
        seen += [event async for event in told]

    assert answer.headers["content-type"].startswith("text/event-stream")
    # nginx keeps answers back until they are whole, unless they say that they must not be.
    assert answer.headers["x-accel-buffering"] == "no"
    assert [event["event"] for event in seen] == ["opened", *["part"] * len(STAGES), "ended"]
    assert [int(event["id"]) for event in seen] == [event["data"]["place"] for event in seen]
    assert [int(event["id"]) for event in seen] == await _places(scheduler, run)
    assert [event["data"]["stage"] for event in seen[1:-1]] == list(STAGES)
    assert [event["data"]["eta_s"] for event in seen][-1] == 0.0


async def test_stream_goes_on_behind_the_last_event_that_was_received(
    caller: httpx.AsyncClient, scheduler: Service
) -> None:
    run = make_run()
    await record(scheduler, *whole_run(run))
    whole = await _follow(caller, run)

    for received in range(len(whole)):
        rest = await _follow(caller, run, **{"Last-Event-ID": whole[received]["id"]})
        assert rest == whole[received + 1 :]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/runs/{unknown}/events", {}, 404),
        ("/runs/no-run/events", {}, 422),
        ("/runs/{known}/events", {"Last-Event-ID": "x"}, 422),
        ("/runs/{known}/events", {"Last-Event-ID": str(2**63)}, 422),
    ],
)
async def test_stream_that_cannot_be_served_is_refused_before_it_begins(
    client: httpx.AsyncClient, scheduler: Service, path: str, headers: dict[str, str], status: int
) -> None:
    run = make_run()
    await record(scheduler, stage_event("prices.updated", run))

    answer = await client.get(path.format(unknown=uuid4(), known=run.run_id), headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_stream_needs_a_token(transport: httpx.ASGITransport) -> None:
    async with httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}") as caller:
        refused = await caller.get(f"/runs/{uuid4()}/events")
        passed = await caller.get(f"/runs/{uuid4()}/events", headers=TOKEN)

    assert (refused.status_code, passed.status_code) == (401, 404)


async def test_follower_who_reads_nothing_keeps_nobody_waiting(feeds: RunFeeds, scheduler: Service) -> None:
    run = make_run()
    events = whole_run(run, parts=3)
    await record(scheduler, events[0])

    async with (
        aclosing(feeds.follow(run.run_id, after=-1)) as slow,
        aclosing(feeds.follow(run.run_id, after=-1)) as fast,
    ):
        assert (await anext(slow)).what is What.OPENED
        for event in events[1:]:
            await record(scheduler, event)
        read = [line.place async for line in fast]
        late = [line.place async for line in slow]

    assert read == await _places(scheduler, run)
    assert late == read[1:]


async def test_run_is_read_once_for_all_who_follow_it(scheduler: Service) -> None:
    run = make_run()
    await record(scheduler, *whole_run(run))
    feeds, counter = RunFeeds(scheduler.unit_of_work, FixedClock(LATER)), StatementCounter(scheduler.engine)

    async def lines() -> list[int]:
        return [line.place async for line in feeds.follow(run.run_id, after=-1)]

    following = [asyncio.create_task(lines()) for _ in range(50)]
    task = asyncio.create_task(feeds.keep_up())
    read = await asyncio.gather(*following)
    task.cancel()

    assert read == [await _places(scheduler, run)] * 50
    assert counter.statements == 2  # one of them is ours


async def test_nothing_is_kept_of_a_run_that_nobody_follows_any_more(feeds: RunFeeds, scheduler: Service) -> None:
    run = make_run()
    await record(scheduler, whole_run(run)[0])

    async with aclosing(feeds.follow(run.run_id, after=-1)) as lines:
        await anext(lines)
        assert list(feeds._feeds) == [run.run_id]

    assert feeds._feeds == {}


async def test_stop_ends_what_is_followed_without_breaking_it_off(
    caller: httpx.AsyncClient, scheduler: Service, serving: tuple[str, "asyncio.Task[None]"]
) -> None:
    run = make_run()
    await record(scheduler, whole_run(run)[0])

    async with caller.stream("GET", f"/runs/{run.run_id}/events") as answer:
        told = aiter(_told(answer))
        seen = [(await anext(told))["event"] for _ in range(2)]
        serving[1].cancel()
        seen += [event["event"] async for event in told]  # a connection that is broken off raises
    await asyncio.gather(serving[1], return_exceptions=True)

    assert seen == ["opened", "part"]


async def test_run_is_followed_until_a_moment(feeds: RunFeeds, scheduler: Service) -> None:
    run = make_run()
    await record(scheduler, whole_run(run)[0])
    async with aclosing(feeds.follow(run.run_id, after=-1, until=LATER + timedelta(seconds=0.1))) as lines:
        seen = [await anext(lines), await anext(lines)]
        seen += [line async for line in lines]
    over = [line async for line in feeds.follow(run.run_id, after=-1, until=LATER)]
    assert ([line.what for line in seen], over) == ([What.OPENED, What.PART], [])


async def test_stream_ends_when_the_session_has_to_be_looked_up_that_asks_for_it(
    caller: httpx.AsyncClient, scheduler: Service
) -> None:
    run = make_run()
    await record(scheduler, whole_run(run)[0])
    session = {"Cookie": signed_in(Principal("val", Role.VIEWER))["Cookie"]}
    assert await _follow(caller, run, **session) == []

    # A program's token does not end.
    async with caller.stream("GET", f"/runs/{run.run_id}/events", headers=TOKEN) as answer:
        assert (await anext(aiter(_told(answer))))["event"] == "opened"


async def _took(scheduler: Service, run_id: UUID, seconds: float) -> None:
    statement = "UPDATE runs SET finished_at = requested_at + make_interval(secs => :seconds) WHERE run_id = :run_id"
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text(statement), {"run_id": run_id, "seconds": seconds})


async def test_time_that_is_left_is_told_from_completed_runs_of_the_same_kind_and_size(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    sizes: dict[str, Any] = {"kind": RunKind.CORRECTION, "symbols": ("A", "B")}
    others = [sizes | {"kind": RunKind.REPLAY}, sizes | {"symbols": ("A",)}, sizes | {"portfolio_ids": (uuid4(),)}]
    run, without = make_run(**sizes), make_run(**sizes)
    await record(scheduler, whole_run(without)[0])
    before = (await client.get(f"/runs/{without.run_id}")).json()["eta"]
    for fields, seconds in [*((sizes, 1000.0 * place) for place in (1, 2, 9)), *((other, 5.0) for other in others * 3)]:
        past = make_run(**{**fields, "symbols": tuple(f"S{uuid4().hex[:6].upper()}" for _ in fields["symbols"])})
        await record(scheduler, *whole_run(past))
        await _took(scheduler, past.run_id, seconds)
    await record(scheduler, whole_run(run)[0])

    eta = (await client.get(f"/runs/{run.run_id}")).json()["eta"]

    assert before == {
        "value": None,
        "reason": "INSUFFICIENT_HISTORY",
        "detail": "no run of this kind and size has completed yet",
    }
    assert 1000 < eta["value"] <= 2000
    await record(scheduler, *whole_run(run)[1:])
    assert (await client.get(f"/runs/{run.run_id}")).json()["eta"] is None
