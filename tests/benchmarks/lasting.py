"""`make bench-lasting`: a backfill of a year, and many nights in a row.

``python -m tests.benchmarks.lasting 500x100 250 60`` enters 100 books of 500 symbols, backfills 250 sessions of them,
and runs 60 nights: time, CPU seconds by process, memory and size of the database. Of three nights in a row the median
is shown, as one alone says little on a machine that does something else too.
"""

import asyncio
import json
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.scheduler.settings import SchedulerSettings
from shared.telemetry import configure_logging
from tests.benchmarks.platform import Platform, enter_portfolios, platform, until
from tests.benchmarks.processes import cpu_seconds, peak_rss_mib, rss_mib
from tests.benchmarks.universe import make_universe, write_files

STORED_SESSIONS, POSITIONS = 300, 50
SHOWN: Final = (2, 30, 60)
TOGETHER: Final = 3
SCHEDULER = SchedulerSettings(batch_processing_enabled=False, max_backfill_dates=0)
_SIZE = "SELECT sum(pg_database_size(datname))::bigint FROM pg_database WHERE datname = current_database()"
_ENDED = "SELECT status FROM scheduler.backfills WHERE status NOT IN ('active', 'paused')"

console = Console(stderr=True)


class Watch:
    """What has been used since it began."""

    def __init__(self, running: Platform) -> None:
        self._running = running
        self._began, self._cpu = time.perf_counter(), dict(cpu_seconds())

    async def figures(self) -> dict[str, Any]:
        """Return seconds, CPU seconds by process, memory now and at its most, and the size of the database."""
        now = cpu_seconds()
        return {
            "s": round(time.perf_counter() - self._began, 2),
            "cpu_s": {kind: round(now[kind] - self._cpu.get(kind, 0.0), 2) for kind in sorted(now)},
            "rss_mib": round(rss_mib()),
            "peak_rss_mib": round(peak_rss_mib()),
            "database_mib": round(int(await self._running.admin.fetchval(_SIZE)) / 2**20, 1),
        }


async def measure(symbols: int, portfolios: int, sessions: int, nights: int, directory: Path) -> dict[str, Any]:
    """Return the figures of the backfill, and of the nights by their numbers."""
    universe = make_universe(symbols, STORED_SESSIONS + sessions + nights)
    write_files(universe, directory / "files")
    opened_on, *later = universe.sessions[STORED_SESSIONS - 1 :]
    async with platform(directory / "data", directory / "files", scheduler=SCHEDULER) as running:
        console.log(f"{symbols} x {portfolios} on {running.broker}: a backfill of {sessions} sessions")
        await running.run(kind="backfill", symbols=universe.stocks, last_session=str(opened_on))
        await enter_portfolios(running, universe.stocks, count=portfolios, size=POSITIONS, opened_on=opened_on)
        await running.run(kind="backfill", last_session=str(opened_on))
        found = {"backfill": await _backfill(running, later[:sessions])}
        console.log(found)
        in_a_row = []
        for session in track(later[sessions:], "nights", console=console):
            watch = Watch(running)
            await running.run(kind="nightly", first_session=str(session), last_session=str(session))
            in_a_row.append(await watch.figures())
    return found | _shown(in_a_row)


def _shown(in_a_row: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the nights that are shown, by their numbers, counted from 1."""
    starts = sorted({max(min(number, len(in_a_row) - TOGETHER + 1), 1) for number in (*SHOWN, len(in_a_row))})
    shown = {}
    for first in starts:
        some = sorted(in_a_row[first - 1 : first - 1 + TOGETHER], key=lambda night: night["s"])
        shown[f"nights {first} to {first + len(some) - 1}"] = some[len(some) // 2]
    return shown


async def _backfill(running: Platform, sessions: list[date]) -> dict[str, Any]:
    watch, written = Watch(running), await running.write_position()
    body = {"first": str(sessions[0]), "last": str(sessions[-1])}
    (await running.client.post("/backfills", json=body)).raise_for_status()

    async def has_ended() -> bool:
        return await running.admin.fetchval(_ENDED) is not None

    await until(has_ended)
    status = await running.admin.fetchval(_ENDED)
    if status != "completed":
        raise RuntimeError(f"the backfill must complete, was {status}")
    return {**await watch.figures(), "wal_mib": round((await running.write_position() - written) / 2**20, 1)}


def table_of(size: str, found: dict[str, dict[str, Any]]) -> Table:
    """Return the figures for the terminal."""
    table = Table(title=f"{size}: a backfill, and nights in a row")
    kinds = next(iter(found.values()))["cpu_s"]
    for name in ("", "s", *(f"CPU s, {kind}" for kind in kinds), "RSS, MiB", "at most, MiB", "database, MiB"):
        table.add_column(name, justify="right")
    for name, figures in found.items():
        used = (figures["cpu_s"].get(kind, 0.0) for kind in kinds)
        sizes = (figures[size] for size in ("rss_mib", "peak_rss_mib", "database_mib"))
        table.add_row(name, *map(str, (figures["s"], *used, *sizes)))
    _, *nights = found.values()
    early, late = nights[0], nights[-1]
    of_the_cpu = sum(late["cpu_s"].values()) / sum(early["cpu_s"].values())
    table.caption = (
        f"the last nights take {late['s'] / early['s']:.2f} of the time of the first, {of_the_cpu:.2f} of the CPU"
    )
    return table


def main(size: str = "500x100", sessions: str = "250", nights: str = "60") -> None:
    """Measure and write the results."""
    configure_logging(level="ERROR")
    symbols, _, portfolios = size.partition("x")
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as directory:
        found = asyncio.run(measure(int(symbols), int(portfolios), int(sessions), int(nights), Path(directory)))
    output = Path("build/bench-lasting.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({size: found}, indent=2))
    Console(width=120).print(table_of(size, found))


if __name__ == "__main__":
    main(*sys.argv[1:])
