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
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from services.ops.client.client import KEPT_S
from shared.paths import API
from shared.telemetry import configure_logging
from tests.benchmarks.platform import until
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.stored import STORED_SESSIONS, console, fill, served
from tests.benchmarks.universe import Universe, make_universe

RATES: Final = (20, 50, 100, 200)
ASKED_S: Final = 10.0
PERCENTILES: Final = (50, 95, 99)
# More than there is time for beside all rates.
NIGHTS: Final = 60
# Beside them a process of its own answers.
WORKERS: Final = 2
# What waits for a connection waits here instead of there.
_NO_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT_S)


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
        unserved = len(self.ms) - self.statuses[200]
        return {"rate": self.rate, "beside": self.beside, **found, "unserved": unserved, "cpu_ms": round(cpu_ms, 1)}


async def measure(reached: dict[str, Any], universe: Universe) -> list[Asked]:
    """Return what became of reads at every rate, alone and beside nights."""
    sessions = iter(universe.sessions[STORED_SESSIONS + 1 :])
    async with httpx.AsyncClient(**{**reached, "base_url": reached["base_url"] + API, "limits": _NO_LIMITS}) as client:
        paths = await _usual_reads(client, universe.stocks)
        # What is loaded once is no part of what a read costs.
        await asyncio.gather(*(client.get(path) for path in paths[:50]))
        found = [await _ask(client, paths, rate) for rate in RATES]
        for rate in RATES:
            nights = asyncio.create_task(_nights(client, sessions))
            found.append(await _ask(client, paths, rate, beside=True))
            nights.cancel()
            await asyncio.gather(nights, return_exceptions=True)
    return found


async def _nights(client: httpx.AsyncClient, sessions: Iterator[date]) -> None:
    for session in sessions:
        night = {"kind": "nightly", "first_session": str(session), "last_session": str(session)}
        run_id = (await client.post("/runs", json=night)).json()["run"]["run_id"]
        await until(partial(_has_ended, client, run_id))


async def _has_ended(client: httpx.AsyncClient, run_id: str) -> bool:
    return bool((await client.get(f"/runs/{run_id}", params={"failures": 1})).json()["status"] != "active")


async def _usual_reads(client: httpx.AsyncClient, symbols: Sequence[str]) -> list[str]:
    """Return what people and their pages read, of one portfolio or symbol after another, and a list now and then."""
    listed = (await client.get("/portfolios", params={"limit": 200})).json()["items"]
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


async def _ask(client: httpx.AsyncClient, paths: Sequence[str], rate: int, *, beside: bool = False) -> Asked:
    asked, tasks = Asked(rate, beside), list[asyncio.Task[None]]()
    before, began = sum(cpu_seconds().values()), time.perf_counter()
    for number, path in zip(range(int(rate * ASKED_S)), itertools.cycle(paths), strict=False):
        due = began + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        tasks.append(asyncio.create_task(_one(client, path, due, asked)))
    await asyncio.gather(*tasks)
    asked.cpu_s = sum(cpu_seconds().values()) - before
    console.log(asked.figures(), dict(asked.statuses))
    return asked


async def _one(client: httpx.AsyncClient, path: str, due: float, asked: Asked) -> None:
    try:
        status = (await client.get(path)).status_code
    except httpx.TransportError:
        status = 0
    asked.ms.append(1000.0 * (time.perf_counter() - due))
    asked.statuses[status] += 1


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
        universe = make_universe(int(symbols), STORED_SESSIONS + 1 + NIGHTS)
        with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as passing:
            directory = Path(passing)
            asyncio.run(fill(directory, universe, int(portfolios)))
            with served(directory, workers=WORKERS) as reached:
                found = asyncio.run(measure(reached, universe))
        kept[size] = [asked.figures() for asked in found]
        Console(width=120).print(table_of(size, found))
    output = Path("build/bench-reads.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:] or ["500x1000"])
