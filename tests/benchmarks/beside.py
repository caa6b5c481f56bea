"""`make bench-beside`: a night beside a backfill, against the same night alone.

``python -m tests.benchmarks.beside 500x50`` prints the seconds of each pair, and the medians of their ratios. A
backfill is resumed before a night beside it and paused after; the night is asked for at any moment of a step in flight.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.scheduler.settings import SchedulerSettings
from shared.telemetry import configure_logging
from tests.benchmarks.platform import POLL_S, Platform, enter_portfolios, platform
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.universe import make_universe, write_files

STORED_SESSIONS, PAIRS, POSITIONS = 300, 11, 50
# Sessions that nobody has computed: the first ones so that steps have been measured, the rest for the backfill.
MEASURED, GAP = 3, 40
SCHEDULER = SchedulerSettings(batch_processing_enabled=False, max_backfill_dates=0)
_IN_FLIGHT = "EXISTS (SELECT 1 FROM scheduler.backfill_steps WHERE status = 'running')"
_STEP_S = "SELECT avg(extract(epoch FROM finished_at - started_at))::float8 FROM scheduler.backfill_steps"

console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a night has cost: seconds from the request to the end, and CPU seconds of everything meanwhile."""

    seconds: float
    cpu_s: float


@dataclass(slots=True)
class Beside:
    """A platform with a backfill that is resumed and paused."""

    running: Platform
    backfill: str = ""

    async def begin(self, first: date, last: date) -> None:
        """Begin a backfill of everything that is missing."""
        body = {"first": first.isoformat(), "last": last.isoformat()}
        response = await self.running.client.post("/backfills", json=body)
        response.raise_for_status()
        self.backfill = response.json()["backfill_id"]

    async def change(self, change: str) -> None:
        """Pause or resume it."""
        response = await self.running.client.post(f"/backfills/{self.backfill}/{change}", json={})
        response.raise_for_status()

    async def until(self, query: str) -> None:
        """Wait until a query says so."""
        while True:
            if await self.running.admin.fetchval(f"SELECT {query}"):
                return
            await asyncio.sleep(POLL_S)

    async def pause(self) -> None:
        """Pause it and wait for the step in flight."""
        await self.change("pause")
        await self.until(f"NOT {_IN_FLIGHT}")

    async def night(self, session: date) -> Cost:
        """Run the night of a session."""
        before = sum(cpu_seconds().values())
        run = await self.running.run(kind="nightly", first_session=str(session), last_session=str(session))
        if run["status"] != "completed":
            raise RuntimeError(f"the night must complete, was {run['status']}: {run['failures'][:3]}")
        return Cost(run["seconds"], sum(cpu_seconds().values()) - before)

    async def night_beside(self, session: date, wait_s: float) -> Cost:
        """Run it while the backfill goes on, so long after it was resumed."""
        await self.change("resume")
        await self.until(_IN_FLIGHT)
        await asyncio.sleep(wait_s)
        cost = await self.night(session)
        await self.pause()
        return cost


async def measure(symbols: int, portfolios: int, directory: Path) -> list[tuple[Cost, Cost]]:
    """Return the costs of nights alone and of nights beside a backfill, in pairs."""
    universe = make_universe(symbols, STORED_SESSIONS + MEASURED + GAP + 1 + 2 * PAIRS)
    write_files(universe, directory / "files")
    stored_until, *later = universe.sessions[STORED_SESSIONS - 1 :]
    measured, gap, nights = later[:MEASURED], later[MEASURED : MEASURED + GAP], later[MEASURED + GAP :]
    generator = np.random.default_rng(13)
    async with platform(directory / "data", directory / "files", scheduler=SCHEDULER) as running:
        console.log(f"{symbols} x {portfolios} on {running.broker}: storing {STORED_SESSIONS} sessions")
        await running.run(kind="backfill", symbols=universe.stocks, last_session=str(stored_until))
        await enter_portfolios(running, universe.stocks, count=portfolios, size=POSITIONS, opened_on=stored_until)
        await running.run(kind="backfill", last_session=str(stored_until))
        beside = Beside(running)
        await beside.night(nights[0])
        await beside.begin(measured[0], measured[-1])
        await beside.until("NOT EXISTS (SELECT 1 FROM scheduler.backfills WHERE status = 'active')")
        await beside.begin(gap[0], gap[-1])
        await beside.pause()
        pairs = []
        for index in track(range(PAIRS), "pairs of nights", console=console):
            one, other = nights[1 + 2 * index : 3 + 2 * index]
            wait_s = generator.uniform(0.0, await running.admin.fetchval(_STEP_S))
            if index % 2:
                with_it = await beside.night_beside(one, wait_s)
                pairs.append((await beside.night(other), with_it))
            else:
                alone = await beside.night(one)
                pairs.append((alone, await beside.night_beside(other, wait_s)))
        console.log(f"a step of the backfill took {await running.admin.fetchval(_STEP_S):.2f} s")
    return pairs


def table_of(size: str, pairs: list[tuple[Cost, Cost]]) -> Table:
    """Return the pairs for the terminal."""
    table = Table(title=f"{size}: a night alone, and beside a backfill")
    for name in ("alone, s", "beside, s", "ratio", "alone, CPU s", "beside, CPU s", "CPU ratio"):
        table.add_column(name, justify="right")
    ratios = [(with_it.seconds / alone.seconds, with_it.cpu_s / alone.cpu_s) for alone, with_it in pairs]
    for (alone, with_it), (wall, cpu) in zip(pairs, ratios, strict=True):
        figures = (alone.seconds, with_it.seconds, wall, alone.cpu_s, with_it.cpu_s, cpu)
        table.add_row(*(f"{figure:.2f}" for figure in figures))
    wall, cpu = np.median(np.array(ratios), axis=0)
    table.add_section()
    table.add_row("", "median", f"{wall:.3f}", "", "", f"{cpu:.3f}")
    return table


def main(sizes: list[str]) -> None:
    """Measure every size."""
    configure_logging(level="ERROR")
    for size in sizes:
        symbols, _, portfolios = size.partition("x")
        with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as directory:
            pairs = asyncio.run(measure(int(symbols), int(portfolios), Path(directory)))
        Console(width=120).print(table_of(size, pairs))


if __name__ == "__main__":
    main(sys.argv[1:] or ["500x50"])
