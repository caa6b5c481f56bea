"""Many letters redriven by a scheduler that is killed in the middle: each is processed once, by one consumer."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.market_data.settings import MarketDataSettings
from services.scheduler.handlers.record_dead_letter import record_dead_letter
from services.scheduler.main import build
from shared.bus.dead_letters import Letter, dead_letter
from shared.contracts.run import ONLY_PART
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.db.outbox import outbox_row
from shared.paths import API
from shared.service import Service, build_app
from tests.support.databases import OPERATOR_TOKEN
from tests.support.eventually import eventually
from tests.support.platform import NO_SCHEDULE, Api, Json, Platform, running_platform
from tests.support.runs import make_run
from tests.support.scheduler_process import FileClock, SchedulerProcess
from tests.support.stack import Servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# `SIGMASIGHT_TEST_LETTERS=1000` takes four minutes on Tansu, which hands out a batch at a time.
MANY = int(os.environ.get("SIGMASIGHT_TEST_LETTERS", "250"))
CONSUMER, DEAF = "risk.note_cancelled_run", ("portfolio", "market_data", "symbol_analytics")


@dataclass(slots=True)
class Redriving:
    """A platform whose scheduler is a process of its own."""

    platform: Platform
    people: Service
    api: Api
    clock: FileClock
    directory: Path
    up: SchedulerProcess | None = None

    def start(self) -> None:
        off = {"BATCH_PROCESSING_ENABLED": "false", "MAX_BACKFILL_DATES": "0"}
        self.up = SchedulerProcess(self.platform.database.common, self.clock, off, self.directory / "scheduler.log")

    def kill(self) -> None:
        if self.up is not None:
            self.up.kill()

    async def count(self, query: str) -> int:
        (row,) = await self.platform.fetch(f"SELECT count(*) AS found FROM {query}")
        return int(row["found"])


@pytest.fixture
async def redriving(own_servers: Servers) -> AsyncIterator[Redriving]:
    async with AsyncExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sigmasight-redrive-")))
        clock = FileClock(directory / "clock")
        clock.set(datetime(2022, 12, 10, 3, 0, tzinfo=UTC))
        sources = MarketDataSettings(providers=("sample",))
        platform = await held.enter_async_context(running_platform(own_servers, sources, but="scheduler"))
        people = build(platform.database.common, NO_SCHEDULE)
        held.push_async_callback(people.engine.dispose)
        transport = httpx.ASGITransport(build_app([people], platform.database.common, title="scheduler"))
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        client = httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}", headers=headers)
        api = Api(await held.enter_async_context(client))
        found = Redriving(platform, people, api, clock, directory)
        held.callback(found.kill)
        found.start()
        yield found


async def _set_aside_many(people: Service) -> None:
    """Have ends of cancelled runs among the dead letters of a consumer that would take them now."""
    for offset in range(MANY):
        ended = BatchCompleted(run=make_run(), part=ONLY_PART, status=RunStatus.FAILED, cancelled=True, stages=())
        row = outbox_row(ended, source="scheduler")
        letter = Letter(row.topic, 0, offset, row.key, row.value, row.headers)
        aside = dead_letter(letter, consumer=CONSUMER, error=KeyError("a bug"), attempts=3, reported=False)
        async with people.unit_of_work() as uow:
            await record_dead_letter(Letter(aside.topic, 0, offset, aside.key, aside.value, aside.headers), uow)


async def _finished(redriving: Redriving, path: str) -> Json:
    """Return the redrive when it has ended; however long that takes, more and more is settled."""
    settled = 0

    async def more() -> Json | None:
        found: Json = await redriving.api.get(path)
        return found if found["finished_at"] or found["counts"]["settled"] > settled else None

    while True:
        found = await eventually(more)
        assert found is not None
        if found["finished_at"]:
            return found
        settled = found["counts"]["settled"]


async def test_many_letters_are_each_processed_once_across_a_kill(redriving: Redriving) -> None:
    await _set_aside_many(redriving.people)
    begun = await redriving.api.post("/dead-letters/redrives", {"reason": "KeyError", "why": "repaired"})
    path = f"/dead-letters/redrives/{begun['redrive']['redrive_id']}"

    async def some_settled() -> int:
        return await redriving.count("scheduler.redriven_letters WHERE status = 'settled'")

    await eventually(some_settled)
    redriving.kill()
    broken_off: Json = await redriving.api.get(path)
    assert 0 < broken_off["counts"]["settled"] < MANY
    redriving.start()

    ended = await _finished(redriving, path)
    assert ended["counts"]["settled"] == MANY
    assert await redriving.count("risk.cancelled_runs") == MANY
    assert await redriving.count(f"risk.inbox WHERE consumer = '{CONSUMER}' AND replay_id <> ''") == MANY
    assert await redriving.count("scheduler.outbox WHERE headers ? 'replay-for'") == MANY
    assert [await redriving.count(f"{service}.cancelled_runs") for service in DEAF] == [0, 0, 0]
