"""Backfills that are paused, killed, resumed and cancelled, and a week that a night repairs: cells and digests.

The scheduler is a process of its own, which is killed; what it asks for is computed by the platform over sample prices.
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.market_data.settings import MarketDataSettings
from services.scheduler.commands.cancel_run import cancel_run
from services.scheduler.main import build
from shared.calendar import sessions_between
from shared.paths import API
from shared.service import Service, build_app
from tests.support.bus_log import BusLog
from tests.support.databases import OPERATOR_TOKEN
from tests.support.digests import Digest, digest_results
from tests.support.eventually import eventually
from tests.support.hold import without_an_end
from tests.support.platform import NO_SCHEDULE, Api, Json, Platform, running_platform
from tests.support.scheduler_process import FileClock, SchedulerProcess
from tests.support.stack import Servers, with_broker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
BOOKS = {"technology": ("AAPL", "MSFT"), "energy": ("XOM", "CVX")}
OPENED, FIRST, LAST = date(2022, 11, 28), date(2022, 11, 29), date(2022, 12, 9)
BACKFILL: Json = {"first": str(FIRST), "last": str(LAST)}
WEEK, NIGHT = (date(2022, 12, 12), date(2022, 12, 16)), date(2022, 12, 19)
# Steps of a few sessions before any has been measured, so that there is something to interrupt.
SMALL_STEPS, LARGE_STEPS = 0.04, 1000.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What somebody would see: the state of every cell, and the digests of the results."""

    cells: dict[tuple[str, str, str], tuple[Any, ...]]
    digests: dict[str, Digest]


@dataclass(slots=True)
class Disturbed:
    """A platform whose scheduler is started and killed as a test says; people reach it meanwhile."""

    platform: Platform
    people: Service
    api: Api
    in_large_steps: Api
    clock: FileClock
    directory: Path
    up: SchedulerProcess | None = None

    def start(self, **settings: str) -> None:
        off = {"BATCH_PROCESSING_ENABLED": "false", "MAX_BACKFILL_DATES": "0"}
        log = self.directory / "scheduler.log"
        self.up = SchedulerProcess(self.platform.database.common, self.clock, {**off, **settings}, log)

    def kill(self) -> None:
        if self.up is not None:
            self.up.kill()

    async def count(self, query: str, *arguments: Any) -> int:
        (row,) = await self.platform.fetch(f"SELECT count(*) AS found {query}", *arguments)
        return int(row["found"])

    async def until(self, query: str, *arguments: Any) -> None:
        async def look() -> bool:
            return await self.count(query, *arguments) > 0

        await eventually(look)

    async def steps(self, backfill: Json) -> list[Json]:
        steps: list[Json] = await self.api.items(f"/backfills/{backfill['backfill_id']}/steps")
        return steps

    async def portfolios_in_flight(self) -> UUID:
        """Return the run of the step over portfolios that has come to risk, the last stage, and no further."""
        found = (
            "FROM scheduler.backfill_steps s JOIN scheduler.run_parts p USING (run_id) "
            "WHERE s.status = 'running' AND portfolio_ids <> '{}' AND stage = 'portfolios.valued'"
        )
        await self.until(found)
        ((run_id,),) = await self.platform.fetch(f"SELECT DISTINCT s.run_id {found}")
        return UUID(str(run_id))

    async def change(self, backfill: Json, change: str) -> Json:
        return await self.api.post(f"/backfills/{backfill['backfill_id']}/{change}", {})

    async def ended(self, backfill: Json) -> Json:
        return await ended(self.api, backfill)


async def ended(api: Api, backfill: Json) -> Json:
    async def look() -> Json | None:
        found: Json = await api.get(f"/backfills/{backfill['backfill_id']}")
        return found if found["status"] not in {"active", "paused"} else None

    found = await eventually(look)
    assert found is not None
    return found


async def onboard(platform: Platform) -> None:
    """Enter the portfolios and wait until they are valued on their first day."""
    terms = {"opening_equity": "100000.00", "opened_on": str(OPENED), "as_of": str(OPENED)}
    files = {name: HEADER + "\n".join(f"{symbol},10,100,{OPENED}," for symbol in BOOKS[name]) for name in BOOKS}
    entered = [await platform.api.import_portfolio(name, csv, **terms) for name, csv in files.items()]

    async def look() -> bool:
        query = "SELECT run_id FROM scheduler.runs WHERE status = 'completed'"
        done = {str(row["run_id"]) for row in await platform.fetch(query)}
        return {entry["run_id"] for entry in entered} <= done

    await eventually(look)


async def outcome_of(platform: Platform, api: Api) -> Outcome:
    cells: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    for row in await platform.fetch("SELECT portfolio_id::text FROM portfolio.portfolios"):
        found = await api.get("/cells", portfolio_id=row["portfolio_id"], first=str(OPENED), last=str(NIGHT))
        for session in found["items"]:
            for cell in session["cells"]:
                cells[session["session"], cell["subject"], cell["fact"]] = cell["state"], cell["revision"]
            for count in session["counts"]:
                of_all = tuple(count[key] for key in ("expected", "done", "failed", "missing"))
                cells[session["session"], row["portfolio_id"], f"every {count['fact']}"] = of_all
    return Outcome(cells, await digest_results(platform.database.admin_url))


@pytest.fixture(scope="module")
async def undisturbed(postgres: Servers, broker_kind: str) -> list[Outcome]:
    """The outcome of the backfill, and then of the two weeks after it, when nothing happens to them."""
    sources = MarketDataSettings(providers=("sample",))
    async with with_broker(postgres) as servers, running_platform(servers, sources) as platform:
        await onboard(platform)
        begun = await platform.api.post("/backfills", BACKFILL)
        assert (await ended(platform.api, begun))["status"] == "completed"
        outcomes = [await outcome_of(platform, platform.api)]
        await platform.api.run(first_session=str(WEEK[0]), last_session=str(NIGHT))
        return [*outcomes, await outcome_of(platform, platform.api)]


@pytest.fixture(scope="module")
async def disturbed(own_servers: Servers) -> AsyncIterator[Disturbed]:
    async with AsyncExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sigmasight-backfill-")))
        clock = FileClock(directory / "clock")
        clock.set(datetime(2022, 12, 10, 3, 0, tzinfo=UTC))
        sources = MarketDataSettings(providers=("sample",))
        platform = await held.enter_async_context(running_platform(own_servers, sources, but="scheduler"))
        people, api = await held.enter_async_context(_people(platform, SMALL_STEPS))
        _, in_large_steps = await held.enter_async_context(_people(platform, LARGE_STEPS))
        disturbed = Disturbed(platform, people, api, in_large_steps, clock, directory)
        held.callback(disturbed.kill)
        disturbed.start()
        await onboard(platform)
        yield disturbed


@asynccontextmanager
async def _people(platform: Platform, step_s: float) -> AsyncIterator[tuple[Service, Api]]:
    """The API of a scheduler that does nothing by itself."""
    common = platform.database.common
    service = build(common, NO_SCHEDULE.model_copy(update={"backfill_step_s": step_s}))
    transport = httpx.ASGITransport(build_app([service], common, title="scheduler"))
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}", headers=headers) as client:
        yield service, Api(client)
    await service.engine.dispose()


async def nothing_is_active(disturbed: Disturbed) -> bool:
    runs = await disturbed.count("FROM scheduler.runs WHERE status = 'active'")
    steps = await disturbed.count("FROM scheduler.backfill_steps WHERE status IN ('queued', 'running')")
    return not runs and not steps


async def test_backfill_that_is_paused_killed_resumed_and_cancelled_gives_what_an_undisturbed_one_gives(
    disturbed: Disturbed, undisturbed: list[Outcome], bus_log: BusLog
) -> None:
    admin_url = disturbed.platform.database.admin_url
    async with without_an_end(admin_url):
        backfill = await disturbed.api.post("/backfills", BACKFILL)
        run_id = await disturbed.portfolios_in_flight()
        assert (await disturbed.change(backfill, "pause"))["status"] == "paused"
        disturbed.kill()
    disturbed.start()
    await disturbed.until("FROM scheduler.backfill_steps WHERE run_id = $1 AND status = 'done'", run_id)
    statuses = [step["status"] for step in await disturbed.steps(backfill)]
    assert "running" not in statuses, "paused still, after the restart"
    assert "queued" in statuses

    async with without_an_end(admin_url):
        await disturbed.change(backfill, "resume")
        in_flight = await disturbed.portfolios_in_flight()
        disturbed.kill()
        disturbed.start()
        waiting = await run_that_waits_behind(disturbed)
        assert (await disturbed.change(backfill, "cancel"))["status"] == "cancelled"
        async with disturbed.people.unit_of_work() as uow:
            await cancel_run(waiting, uow, requested_by="the test")
        assert await nothing_is_active(disturbed)
        await disturbed.until("FROM risk.cancelled_runs WHERE run_id = $1", waiting)
    await eventually_dropped(bus_log, waiting)
    assert in_flight != run_id
    statuses = [step["status"] for step in await disturbed.steps(backfill)]
    assert (set(statuses[:-2]), statuses[-2:]) == ({"done"}, ["cancelled", "cancelled"])
    assert await nothing_is_active(disturbed)

    disturbed.kill()
    disturbed.start()
    again = await disturbed.ended(await disturbed.in_large_steps.post("/backfills", BACKFILL))
    assert again["status"] == "completed"
    assert await outcome_of(disturbed.platform, disturbed.api) == undisturbed[0]


async def run_that_waits_behind(disturbed: Disturbed) -> UUID:
    """Open a run whose work for risk waits behind that of the step in flight, and return it."""
    opened = await disturbed.api.post("/runs", {"first_session": str(LAST), "last_session": str(LAST)})
    run_id = UUID(opened["run"]["run_id"])
    published = "FROM risk.outbox WHERE run_id = $1 AND topic = 'risk.due' AND published_at IS NOT NULL"
    await disturbed.until(published, run_id)
    return run_id


async def eventually_dropped(bus_log: BusLog, run_id: UUID) -> None:
    async def look() -> bool:
        return bus_log.count("event consumed", run=str(run_id), topic="risk.due", outcome="cancelled") > 0

    await eventually(look)


async def test_cells_that_are_done_are_not_done_again(disturbed: Disturbed, undisturbed: list[Outcome]) -> None:
    nothing = await disturbed.in_large_steps.post("/backfills", BACKFILL)
    assert (nothing["status"], nothing["progress"]["steps"]) == ("completed", 0)

    wanted: Json = {**BACKFILL, "reprocess": "all"}
    plan = await disturbed.in_large_steps.post("/backfills/plan", wanted)
    every = await disturbed.ended(await disturbed.in_large_steps.post("/backfills", wanted))

    progress = every["progress"]
    assert progress["done"] == progress["cells"]
    assert progress["unchanged"] == plan["cells"] - plan["cells_by_fact"]["bars"], "bars have no digest"
    assert await outcome_of(disturbed.platform, disturbed.api) == undisturbed[0]


async def test_week_that_the_schedule_has_skipped_is_repaired_by_the_next_night(
    disturbed: Disturbed, undisturbed: list[Outcome]
) -> None:
    disturbed.kill()
    disturbed.start(BATCH_PROCESSING_ENABLED="true", MAX_BACKFILL_DATES="30")
    await disturbed.until("FROM scheduler.triggers WHERE trigger_name = 'portfolios'")
    disturbed.kill()
    disturbed.clock.set(datetime(2022, 12, 20, 2, 30, tzinfo=UTC))
    disturbed.start(BATCH_PROCESSING_ENABLED="true", MAX_BACKFILL_DATES="30")

    await disturbed.until("FROM scheduler.backfills WHERE requested_by = 'nightly repair' AND status = 'completed'")

    skipped = await disturbed.count("FROM scheduler.fires WHERE outcome = 'coalesced'")
    assert skipped == 2 * len(sessions_between(*WEEK)), "at both times of every day of the week"
    nights = await disturbed.platform.fetch("SELECT DISTINCT last_session FROM scheduler.runs WHERE kind = 'nightly'")
    assert [row["last_session"] for row in nights] == [NIGHT]
    assert await outcome_of(disturbed.platform, disturbed.api) == undisturbed[1]
