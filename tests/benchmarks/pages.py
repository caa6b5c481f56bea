"""`make bench-pages`: how long pages take, and what they cost, with many portfolios and symbols stored.

``python -m tests.benchmarks.pages 5000x1000 [DIRECTORY]`` runs `sigmasight up` over a store, which a directory keeps
for the next time, and asks for each page again and again, one at a time.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from shared.paths import API
from shared.telemetry import configure_logging
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.stored import STORED_SESSIONS, console, fill, served
from tests.benchmarks.universe import make_universe

TIMES: Final = 20


def paths_of(client: httpx.Client) -> dict[str, str]:
    """Return what is asked for, by the name under which it is shown."""
    session = client.get(f"{API}/runs", params={"limit": 1}).json()["items"][0]["run"]["last_session"]
    portfolio_id = client.get(f"{API}/portfolios", params={"limit": 1}).json()["items"][0]["portfolio_id"]
    symbol = client.get(f"{API}/symbols", params={"limit": 1}).json()["items"][0]["symbol"]
    pages = ("/", *(f"/pages/{name}" for name in _PAGES), f"/pages/portfolios/{portfolio_id}")
    reads = (f"/portfolios/{portfolio_id}{name}" for name in ("", "/snapshots", "/values", "/performance"))
    lists = (f"/portfolios?{_LIMIT}", f"/snapshots?{_LIMIT}", f"/risk?first={session}", f"/position-values?{_LIMIT}")
    others = (*_READS, f"/readiness/{portfolio_id}", f"/risk/portfolios/{portfolio_id}", f"/symbols/{symbol}")
    found = [*pages, *(f"{API}{path}" for path in (*reads, *lists, *others))]
    return {path.replace(portfolio_id, "ID").replace(API, "").replace(symbol, "SYMBOL"): path for path in found}


_LIMIT: Final = "limit=500"
_PAGES: Final = (
    *("portfolios", "board/readiness", "readiness", "coverage", "findings", "runs", "schedule", "backfills"),
    *("dead-letters", "system"),
)
_READS: Final = ("/readiness", "/cells", "/coverage", "/symbol-metrics", "/factors", "/runs", "/schedule")


def ask(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return how long an answer takes, and what it costs."""
    answer = client.get(path)
    taken, before = [], cpu_seconds()
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append(1000.0 * (time.perf_counter() - began))
    used = cpu_seconds()
    return {
        "status": answer.status_code,
        "kB": round(len(answer.content) / 1000),
        **{f"p{share}_ms": round(float(np.percentile(taken, share)), 1) for share in (50, 95)},
        "python_ms": round(1000.0 * (used["worker"] - before["worker"]) / TIMES, 1),
        "postgres_ms": round(1000.0 * (used["postgres"] - before["postgres"]) / TIMES, 1),
    }


def measure(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of every page and read of the platform on a directory."""
    found = {}
    with served(directory, workers=1) as reached, httpx.Client(**reached) as client:
        for name, path in paths_of(client).items():
            found[name] = ask(client, path)
            console.log(name, found[name])
    return found


def table_of(size: str, found: dict[str, dict[str, Any]]) -> Table:
    """Return the figures for the terminal."""
    table = Table(title=f"{size}: one at a time; milliseconds of the answer, and of processors")
    table.add_column("asked for")
    for name in next(iter(found.values())):
        table.add_column(name, justify="right")
    for path, figures in found.items():
        table.add_row(path, *map(str, figures.values()))
    return table


def main(size: str, kept: Path | None = None) -> None:
    """Measure a size and write the results."""
    configure_logging(level="ERROR")
    symbols, _, portfolios = size.partition("x")
    universe = make_universe(int(symbols), STORED_SESSIONS + 1)
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as passing:
        directory = kept or Path(passing)
        if not (directory / "data").exists():
            asyncio.run(fill(directory, universe, int(portfolios)))
        found = measure(directory)
    Console(width=120).print(table_of(size, found))
    output = Path("build/bench-pages.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({size: found}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "5000x1000", Path(sys.argv[2]) if sys.argv[2:] else None)
