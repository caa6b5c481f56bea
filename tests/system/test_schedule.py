"""A month that asks for itself: a holiday, an early close, daylight time, and schedulers that are killed.

The clock of the scheduler processes is a file. What they ask for is computed by the platform over sample prices, and
compared with what a plain run over the same sessions gives.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.market_data.settings import MarketDataSettings
from shared.calendar import sessions_between
from shared.contracts.run import Run
from tests.support.digests import Digest, digest_results
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.scheduler_process import FileClock, SchedulerProcess
from tests.support.stack import Servers, with_broker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
BOOKS = {"technology": ("AAPL", "MSFT"), "energy": ("XOM", "CVX")}
OPENED = "2021-10-29"
NEW_YORK = ZoneInfo("America/New_York")
# Daylight time ends on 2021-11-07 and begins on 2022-03-13; Thanksgiving is 2021-11-25, the day after closes at 13:00.
AUTUMN, SPRING = (date(2021, 11, 1), date(2021, 11, 30)), (date(2022, 3, 11), date(2022, 3, 14))
THANKSGIVING = date(2021, 11, 25)
KILLED_ON = date(2021, 11, 15)
SESSIONS = [*sessions_between(*AUTUMN), *sessions_between(*SPRING)]


def in_new_york(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)


def weekdays(first: date, last: date) -> list[date]:
    days = [first + timedelta(days=index) for index in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


@dataclass(slots=True)
class Nights:
    """A platform, the schedulers that ask it for nights, and the time that they all see."""

    platform: Platform
    clock: FileClock
    directory: Path
    schedulers: list[SchedulerProcess] = field(default_factory=list)
    killed: str = ""

    def start_schedulers(self, count: int) -> None:
        # What earlier nights have left out is another test's matter.
        settings = {"MAX_BACKFILL_DATES": "0"}
        for _ in range(count):
            log = self.directory / f"scheduler-{len(self.schedulers)}.log"
            self.schedulers.append(SchedulerProcess(self.platform.database.common, self.clock, settings, log))

    def stop(self) -> None:
        for scheduler in self.schedulers:
            scheduler.kill()

    async def pass_day(self, day: date) -> None:
        """Let the evening of a weekday come: nine o'clock, and half past when the symbols have been asked for."""
        first, second = in_new_york(day, 21, 0), in_new_york(day, 21, 30)
        self.clock.advance(first)
        symbols = await self._answer("symbols", first)
        if day == KILLED_ON:
            await self._kill_who_fired(symbols)
        self.clock.advance(second)
        portfolios = await self._answer("portfolios", second)
        await self._ended([*symbols["run_ids"], *portfolios["run_ids"]])

    async def _answer(self, stage: str, due_at: datetime) -> Any:
        """Return what came of a due time when something has."""

        async def look() -> Any:
            query = "SELECT * FROM scheduler.fires WHERE (trigger_name, due_at) = ($1, $2) AND outcome <> 'waiting'"
            return (await self.platform.fetch(query, stage, due_at) or [None])[0]

        return await eventually(look)

    async def _ended(self, run_ids: Sequence[UUID]) -> None:
        async def look() -> bool:
            query = "SELECT count(*) AS ended FROM scheduler.runs WHERE run_id = ANY($1) AND status <> 'active'"
            (row,) = await self.platform.fetch(query, run_ids)
            return bool(row["ended"] == len(run_ids))

        await eventually(look)

    async def _kill_who_fired(self, symbols: Any) -> None:
        (victim,) = [up for up in self.schedulers if symbols["fired_by"].endswith(up.name)]
        victim.kill()
        self.killed = symbols["fired_by"]

    async def onboard(self) -> None:
        await self._ended(await onboard(self.platform))


async def onboard(platform: Platform) -> list[UUID]:
    """Enter the portfolios and return the runs that value them."""
    terms = {"opening_equity": "100000.00", "opened_on": OPENED, "as_of": OPENED}
    files = {name: HEADER + "\n".join(f"{symbol},10,100,{OPENED}," for symbol in BOOKS[name]) for name in BOOKS}
    entered = [await platform.api.import_portfolio(name, csv, **terms) for name, csv in files.items()]
    return [UUID(entry["run_id"]) for entry in entered]


@pytest.fixture(scope="module")
async def nights(own_servers: Servers) -> AsyncIterator[Nights]:
    """The nights of November and those around the spring's change of time; nobody is up in between."""
    async with AsyncExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sigmasight-nights-")))
        clock = FileClock(directory / "clock")
        clock.set(in_new_york(AUTUMN[0], 12, 0))
        sources = MarketDataSettings(providers=("sample",))
        platform = await held.enter_async_context(running_platform(own_servers, sources, but="scheduler"))
        passing = Nights(platform, clock, directory)
        held.callback(passing.stop)
        passing.start_schedulers(2)
        await passing.onboard()

        for day in weekdays(*AUTUMN):
            await passing.pass_day(day)
        passing.stop()
        clock.advance(in_new_york(SPRING[0], 21, 30))
        passing.start_schedulers(2)
        for day in weekdays(*SPRING):
            await passing.pass_day(day)
        yield passing


@pytest.fixture(scope="module")
async def plain(postgres: Servers, broker_kind: str) -> dict[str, Digest]:
    """The results of runs over the same sessions that somebody asked for."""
    sources = MarketDataSettings(providers=("sample",))
    async with with_broker(postgres) as servers, running_platform(servers, sources) as platform:
        await asyncio.gather(*(platform.api.ended(str(run_id)) for run_id in await onboard(platform)))
        for first, last in (AUTUMN, SPRING):
            await platform.api.run(first_session=str(first), last_session=str(last), requested_by="the test")
        return await digest_results(platform.database.admin_url)


async def test_every_session_has_one_run_of_each_stage_and_no_other_day_has_any(nights: Nights) -> None:
    runs = await nights.platform.fetch(
        "SELECT run, status FROM scheduler.runs WHERE kind = 'nightly' ORDER BY last_session, requested_at"
    )
    asked = [Run.model_validate_json(row["run"]) for row in runs]
    assert {run.last_session for run in asked} == set(SESSIONS)
    for session in SESSIONS:
        symbols, *portfolios = [run for run in asked if run.first_session == run.last_session == session]
        assert (symbols.symbols, symbols.portfolio_ids, symbols.after) == (None, (), None)
        # Bars of the gap came with the first night after it: who did not wait for all of them went again.
        assert len(portfolios) == 1 or (session == SPRING[0] and len(portfolios) == 2)
        for run in portfolios:
            assert run.symbols == ()
            # By their names, where the symbols were still under way.
            assert run.portfolio_ids is None or len(run.portfolio_ids) == len(BOOKS)
            assert run.after is not None
            assert run.after.run_id == symbols.run_id
    assert {row["status"] for row in runs} == {"completed"}


async def test_nights_give_what_a_plain_run_gives(nights: Nights, plain: dict[str, Digest]) -> None:
    found = await digest_results(nights.platform.database.admin_url)

    assert found["assessments"].rows >= len(BOOKS) * len(SESSIONS)
    assert found == plain
    revised = "SELECT (SELECT max(revision) FROM portfolio.snapshots), (SELECT max(revision) FROM risk.assessments)"
    assert await nights.platform.fetch(revised) == [(1, 1)], "computed once"


async def test_nights_keep_their_time_in_new_york_over_both_changes_of_daylight_time(nights: Nights) -> None:
    fires = await nights.platform.fetch("SELECT * FROM scheduler.fires WHERE run_ids <> '{}'")
    times = {(row["trigger_name"], row["session"]): row["due_at"].time() for row in fires}

    summer, winter = (time(1, 0), time(1, 30)), (time(2, 0), time(2, 30))
    for session, (symbols, portfolios) in {
        date(2021, 11, 5): summer,
        date(2021, 11, 8): winter,
        date(2022, 3, 11): winter,
        date(2022, 3, 14): summer,
    }.items():
        assert (times["symbols", session], times["portfolios", session]) == (symbols, portfolios), session


async def test_holiday_is_a_recorded_no_op_and_an_early_close_a_night(nights: Nights) -> None:
    fires = await nights.platform.fetch(
        "SELECT * FROM scheduler.fires WHERE due_at < $1 ORDER BY due_at", in_new_york(AUTUMN[1], 23, 0)
    )
    closed = [(row["trigger_name"], row["due_at"], row["run_ids"]) for row in fires if row["outcome"] == "closed day"]
    assert closed == [
        ("symbols", in_new_york(THANKSGIVING, 21, 0), []),
        ("portfolios", in_new_york(THANKSGIVING, 21, 30), []),
    ]
    early_close = [row["outcome"] for row in fires if row["session"] == date(2021, 11, 26)]
    assert early_close == ["requested", "requested"]


async def test_times_that_nobody_was_up_at_are_made_up_for_once(nights: Nights) -> None:
    fires = await nights.platform.fetch(
        "SELECT trigger_name, run_ids <> '{}' AS has_runs, count(*) AS times FROM scheduler.fires "
        "WHERE due_at > $1 AND due_at <= $2 AND outcome <> 'closed day' GROUP BY 1, 2",
        in_new_york(AUTUMN[1], 23, 0),
        in_new_york(SPRING[0], 21, 30),
    )
    missed = {(row["trigger_name"], row["has_runs"]): row["times"] for row in fires}

    sessions = len(sessions_between(AUTUMN[1], SPRING[0])) - 1
    assert missed == {
        (stage, has_runs): 1 if has_runs else sessions - 1
        for stage in ("symbols", "portfolios")
        for has_runs in (True, False)
    }


async def test_scheduler_that_was_killed_is_followed_and_what_it_asked_for_ends(nights: Nights) -> None:
    fires = await nights.platform.fetch(
        "SELECT due_at, fired_by FROM scheduler.fires WHERE due_at < $1", in_new_york(AUTUMN[1], 23, 0)
    )
    killed_at = in_new_york(KILLED_ON, 21, 0)
    assert max(row["due_at"] for row in fires if row["fired_by"] == nights.killed) == killed_at
    assert len({row["fired_by"] for row in fires if row["due_at"] > killed_at}) == 1
