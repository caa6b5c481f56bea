"""`make bench-reads`: how long reads take at so many a second, alone and beside a night.

``python -m tests.benchmarks.reads 500x1000`` prints percentiles of the milliseconds from the moment at which a request
was due: one that waits for the ones before it is as slow as whoever asked finds it.
"""

import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from shared.telemetry import configure_logging
from tests.benchmarks.platform import Platform, enter_portfolios, platform
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.universe import make_universe, write_files

STORED_SESSIONS, POSITIONS = 300, 50
RATES: Final = (20, 50, 100, 200)
ASKED_S: Final = 10.0
PERCENTILES: Final = (50, 95, 99)

console = Console(stderr=True)


@dataclass(slots=True)
class Asked:
    """What became of the requests of one rate."""

    rate: int
    beside: bool
    ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cpu_s: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Return what is kept of them."""
        found = {f"p{share}_ms": round(float(np.percentile(self.ms, share)), 1) for share in PERCENTILES}
        cpu_ms = 1000.0 * self.cpu_s / len(self.ms)
        sent_away = self.statuses[503]
        return {"rate": self.rate, "beside": self.beside, **found, "sent_away": sent_away, "cpu_ms": round(cpu_ms, 1)}


async def measure(symbols: int, portfolios: int, directory: Path) -> list[Asked]:
    """Return what became of reads at every rate, alone and beside nights."""
    universe = make_universe(symbols, STORED_SESSIONS + 20 * len(RATES))
    write_files(universe, directory / "files")
    stored_until = universe.sessions[STORED_SESSIONS - 1]
    async with platform(directory / "data", directory / "files") as running:
        console.log(f"{symbols} x {portfolios} on {running.broker}: storing {STORED_SESSIONS} sessions")
        await running.run(kind="backfill", symbols=universe.stocks, last_session=str(stored_until))
        await enter_portfolios(running, universe.stocks, count=portfolios, size=POSITIONS, opened_on=stored_until)
        await running.run(kind="backfill", last_session=str(stored_until))
        sessions = iter(universe.sessions[STORED_SESSIONS:])
        await _night(running, next(sessions))
        paths = await _usual_reads(running, universe.stocks)
        found = [await _ask(running, paths, rate) for rate in RATES]
        for rate in RATES:
            nights = asyncio.create_task(_nights(running, sessions))
            found.append(await _ask(running, paths, rate, beside=True))
            nights.cancel()
            await asyncio.gather(nights, return_exceptions=True)
    return found


async def _night(running: Platform, session: date) -> None:
    await running.run(kind="nightly", first_session=str(session), last_session=str(session))


async def _nights(running: Platform, sessions: Iterator[date]) -> None:
    for session in sessions:
        await _night(running, session)


async def _usual_reads(running: Platform, symbols: Sequence[str]) -> list[str]:
    """Return what people and their pages read, of one portfolio or symbol after another, and a list now and then."""
    listed = (await running.client.get("/portfolios", params={"limit": 200})).json()["items"]
    ids = [entry["portfolio_id"] for entry in listed]
    of_one = [
        reads
        for owner, symbol in zip(ids, itertools.cycle(symbols), strict=False)
        for reads in (
            f"/portfolios/{owner}",
            f"/portfolios/{owner}/snapshots?limit=21",
            f"/portfolios/{owner}/values",
            f"/risk/portfolios/{owner}",
            f"/readiness/{owner}",
            f"/symbols/{symbol}",
        )
    ]
    lists = ["/portfolios?limit=50", "/snapshots?limit=50", "/readiness?limit=50", "/runs?limit=20", "/schedule"]
    generator = np.random.default_rng(17)
    return [
        lists[generator.integers(len(lists))] if generator.random() < 0.1 else of_one[generator.integers(len(of_one))]
        for _ in range(2_000)
    ]


async def _ask(running: Platform, paths: Sequence[str], rate: int, *, beside: bool = False) -> Asked:
    asked, tasks = Asked(rate, beside), list[asyncio.Task[None]]()
    before, began = sum(cpu_seconds().values()), time.perf_counter()
    for number, path in zip(range(int(rate * ASKED_S)), itertools.cycle(paths), strict=False):
        due = began + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        tasks.append(asyncio.create_task(_one(running, path, due, asked)))
    await asyncio.gather(*tasks)
    asked.cpu_s = sum(cpu_seconds().values()) - before
    console.log(asked.figures())
    return asked


async def _one(running: Platform, path: str, due: float, asked: Asked) -> None:
    response = await running.client.get(path)
    asked.ms.append(1000.0 * (time.perf_counter() - due))
    asked.statuses[response.status_code] += 1


def table_of(size: str, found: Sequence[Asked]) -> Table:
    """Return the figures for the terminal."""
    table = Table(title=f"{size}: usual reads; CPU is everything's, of a read")
    for name in found[0].figures():
        table.add_column(name, justify="right")
    for asked in found:
        table.add_row(*map(str, asked.figures().values()))
    return table


def main(sizes: list[str]) -> None:
    """Measure every size and write the results."""
    configure_logging(level="ERROR")
    kept: dict[str, list[dict[str, Any]]] = {}
    for size in sizes:
        symbols, _, portfolios = size.partition("x")
        with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as directory:
            found = asyncio.run(measure(int(symbols), int(portfolios), Path(directory)))
        kept[size] = [asked.figures() for asked in found]
        Console(width=120).print(table_of(size, found))
    output = Path("build/bench-reads.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:] or ["500x1000"])
