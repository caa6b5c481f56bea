"""A month that asks for itself: holiday, early close, both changes of daylight time, and a scheduler that is killed.

The clock of two scheduler processes is a file; what they ask for is computed by the platform over sample prices.
"""

import tempfile
from collections.abc import AsyncIterator
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
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.scheduler_process import FileClock, SchedulerProcess
from tests.support.stack import Servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SAMPLES = Path("services/ops/samples")
EQUITY = {"long-only": "1300000", "long-short": "1300000", "funds-and-private": "1500000"}
NEW_YORK = ZoneInfo("America/New_York")
# Daylight time begins on 2022-03-13 and ends on 2022-11-06; Thanksgiving is 2022-11-24, the day after closes at 13:00.
SPRING, AUTUMN = (date(2022, 3, 7), date(2022, 3, 18)), (date(2022, 11, 1), date(2022, 11, 30))
THANKSGIVING = date(2022, 11, 24)
KILLED_ON = date(2022, 11, 15)
SESSIONS = [*sessions_between(*SPRING), *sessions_between(*AUTUMN)]


def in_new_york(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)


@dataclass(slots=True)
class Nights:
    """A platform, the schedulers that ask it for nights, and the time that they all see."""

    platform: Platform
    clock: FileClock
    directory: Path
    schedulers: list[SchedulerProcess] = field(default_factory=list)
    killed: str = ""

    def start_scheduler(self) -> None:
        log = self.directory / f"scheduler-{len(self.schedulers)}.log"
        # What earlier nights have left out is another test's matter.
        settings = {"MAX_BACKFILL_DATES": "0"}
        self.schedulers.append(SchedulerProcess(self.platform.database.common, self.clock, settings, log))

    def stop(self) -> None:
        for scheduler in self.schedulers:
            scheduler.kill()

    def set_clock(self, moment: datetime) -> None:
        self.clock.set(moment.replace(tzinfo=None).isoformat())

    async def fire(self, stage: str, due_at: datetime) -> Any:
        """Return the fire of a due time when there is one."""

        async def look() -> Any:
            query = "SELECT * FROM scheduler.fires WHERE trigger_name = $1 AND due_at = $2"
            return (await self.platform.fetch(query, stage, due_at) or [None])[0]

        return await eventually(look)

    async def ended(self, run_ids: list[UUID]) -> None:
        async def look() -> bool:
            query = "SELECT count(*) AS active FROM scheduler.runs WHERE run_id = ANY($1) AND status = 'active'"
            (row,) = await self.platform.fetch(query, run_ids)
            return bool(row["active"] == 0)

        await eventually(look)

    async def pass_day(self, day: date) -> None:
        """Let the evening of a weekday come: nine o'clock, and half past when the symbols have been asked for."""
        first, second = in_new_york(day, 21, 0), in_new_york(day, 21, 30)
        self.set_clock(first)
        symbols = await self.fire("symbols", first)
        if day == KILLED_ON:
            await self.kill_who_fired(symbols)
        self.set_clock(second)

        async def settled() -> Any:
            portfolios = await self.fire("portfolios", second)
            return None if portfolios["outcome"] == "waiting" else portfolios

        portfolios = await eventually(settled)
        await self.ended([*symbols["run_ids"], *portfolios["run_ids"]])

    async def kill_who_fired(self, symbols: Any) -> None:
        (victim,) = [up for up in self.schedulers if symbols["fired_by"].endswith(up.name)]
        (run,) = await self.platform.fetch("SELECT status FROM scheduler.runs WHERE run_id = $1", symbols["run_ids"][0])
        assert run["status"] == "active", "in the middle of what it asked for"
        victim.kill()
        self.killed = symbols["fired_by"]


def weekdays(first: date, last: date) -> list[date]:
    days = [first + timedelta(days=index) for index in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


@pytest.fixture(scope="module")
async def nights(own_servers: Servers) -> AsyncIterator[Nights]:
    """The nights of two weeks in spring and of November, all of them asked for by the schedule."""
    async with AsyncExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sigmasight-nights-")))
        clock = FileClock(directory / "clock")
        clock.set("2022-03-05T12:00:00")
        sources = MarketDataSettings(providers=("sample",))
        platform = await held.enter_async_context(running_platform(own_servers, sources, but="scheduler"))
        passing = Nights(platform, clock, directory)
        held.callback(passing.stop)
        for _ in range(2):
            passing.start_scheduler()
        await onboard(passing)

        for day in weekdays(*SPRING):
            await passing.pass_day(day)
        await skip_summer(passing)
        for day in weekdays(*AUTUMN):
            await passing.pass_day(day)
            if day == KILLED_ON + timedelta(days=3):
                passing.start_scheduler()
        yield passing


async def onboard(passing: Nights) -> None:
    entered = [
        await passing.platform.api.import_portfolio(
            name,
            (SAMPLES / f"{name}.csv").read_text(),
            opening_equity=equity,
            opened_on="2022-03-04",
            as_of="2022-03-04",
        )
        for name, equity in EQUITY.items()
    ]
    known = [UUID(entry["run_id"]) for entry in entered]

    async def look() -> bool:
        query = "SELECT count(*) AS ended FROM scheduler.runs WHERE run_id = ANY($1) AND status <> 'active'"
        (row,) = await passing.platform.fetch(query, known)
        return bool(row["ended"] == len(known))

    await eventually(look)


async def skip_summer(passing: Nights) -> None:
    """Pause from the last night of spring to the eve of November."""
    pause = "INSERT INTO scheduler.schedule_pauses (paused_at, paused_by, why) VALUES (now(), 'the test', 'summer')"
    await passing.platform.fetch(pause)
    eve = in_new_york(date(2022, 10, 31), 21, 30)
    passing.set_clock(eve)
    assert (await passing.fire("symbols", eve - timedelta(minutes=30)))["outcome"] == "paused"
    assert (await passing.fire("portfolios", eve))["outcome"] == "paused"
    await passing.platform.fetch("UPDATE scheduler.schedule_pauses SET resumed_at = now(), resumed_by = 'the test'")


async def test_every_session_has_one_run_of_each_stage_and_no_other_day_has_any(nights: Nights) -> None:
    runs = await nights.platform.fetch(
        "SELECT last_session, first_session, scope, count(*) AS times FROM scheduler.runs WHERE kind = 'nightly' "
        "GROUP BY 1, 2, 3 ORDER BY last_session, scope DESC"
    )
    asked = [(row["first_session"], row["last_session"], row["scope"], row["times"]) for row in runs]
    scopes = ("symbols=* portfolios=", "symbols= portfolios=*")
    assert asked == [(session, session, scope, 1) for session in SESSIONS for scope in scopes]
    statuses = await nights.platform.fetch("SELECT DISTINCT status FROM scheduler.runs")
    assert {row["status"] for row in statuses} <= {"completed", "completed_with_errors"}


async def test_nights_keep_their_time_in_new_york_over_both_changes_of_daylight_time(nights: Nights) -> None:
    fires = await nights.platform.fetch(
        "SELECT trigger_name, due_at, session, outcome FROM scheduler.fires WHERE outcome <> 'paused' ORDER BY due_at"
    )
    at = {stage: {row["due_at"].time() for row in fires if row["trigger_name"] == stage} for stage in
          ("symbols", "portfolios")}  # fmt: skip
    assert at == {"symbols": {time(1, 0), time(2, 0)}, "portfolios": {time(1, 30), time(2, 30)}}
    symbols = {row["session"]: row["due_at"].time() for row in fires if row["trigger_name"] == "symbols"}
    assert (symbols[date(2022, 3, 11)], symbols[date(2022, 3, 14)]) == (time(2, 0), time(1, 0))
    assert (symbols[date(2022, 11, 4)], symbols[date(2022, 11, 7)]) == (time(1, 0), time(2, 0))


async def test_holiday_is_a_recorded_no_op_and_an_early_close_a_night(nights: Nights) -> None:
    fires = await nights.platform.fetch("SELECT * FROM scheduler.fires WHERE outcome <> 'paused' ORDER BY due_at")
    closed = [row for row in fires if row["outcome"] == "closed day"]
    assert [(row["trigger_name"], row["due_at"], row["run_ids"]) for row in closed] == [
        ("symbols", in_new_york(THANKSGIVING, 21, 0), []),
        ("portfolios", in_new_york(THANKSGIVING, 21, 30), []),
    ]
    assert {row["outcome"] for row in fires} == {"requested", "closed day"}
    assert len([row for row in fires if row["session"] == date(2022, 11, 25)]) == 2


async def test_scheduler_that_was_killed_is_followed_and_what_it_asked_for_ends(nights: Nights) -> None:
    fires = await nights.platform.fetch(
        "SELECT due_at, fired_by FROM scheduler.fires WHERE outcome <> 'paused' ORDER BY due_at, trigger_name"
    )
    killed_at = in_new_york(KILLED_ON, 21, 0)
    by_the_killed = [row["due_at"] for row in fires if row["fired_by"] == nights.killed]
    assert max(by_the_killed) == killed_at
    assert [row["fired_by"] for row in fires if row["due_at"] > killed_at]
    (run,) = await nights.platform.fetch(
        "SELECT status, finished_at FROM scheduler.runs WHERE last_session = $1 AND scope = 'symbols=* portfolios='",
        KILLED_ON,
    )
    assert run["status"] in {"completed", "completed_with_errors"}


async def test_portfolios_of_every_night_go_on_from_its_symbols_and_are_computed_once(nights: Nights) -> None:
    (wrong,) = await nights.platform.fetch(
        """
        SELECT count(*) AS runs FROM scheduler.runs p JOIN scheduler.runs s
            ON s.last_session = p.last_session AND s.scope = 'symbols=* portfolios='
        WHERE p.scope = 'symbols= portfolios=*' AND (p.run #>> '{after,run_id}') IS DISTINCT FROM s.run_id::text
        """
    )
    assert wrong["runs"] == 0
    for table in ("portfolio.snapshots", "risk.assessments"):
        rows = await nights.platform.fetch(
            f"SELECT as_of, count(*) AS portfolios, max(revision) AS revision FROM {table} "
            "WHERE as_of = ANY($1) GROUP BY as_of ORDER BY as_of",
            SESSIONS,
        )
        expected = [(session, len(EQUITY), 1) for session in SESSIONS]
        assert [(row["as_of"], row["portfolios"], row["revision"]) for row in rows] == expected
