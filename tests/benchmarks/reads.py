"""`make bench-reads`: how long reads take at so many a second, alone and beside nights.

``python -m tests.benchmarks.reads 500x1000`` prints percentiles of the milliseconds from the moment at which a request
was due: one that waits for the ones before it is as slow as whoever asked finds it. Those are of the answers; what was
refused, and in which words, is counted beside them. Each portfolio is looked at by a person of its own, as a platform
bounds what one may ask for at once.
"""

import asyncio
import itertools
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from services.ops.client.client import KEPT_S
from services.ops.data_directory import DataDirectory
from shared.clock import SystemClock
from shared.paths import API
from shared.principal import Principal, Role
from shared.sessions import COOKIE, Sessions
from shared.telemetry import configure_logging
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
# Asking whether a night has ended is a read too.
LOOK_EVERY_S: Final = 0.5
# A platform that has just begun loads prices and makes statistics of tables that were filled at once.
SETTLED_AFTER_S: Final = 30.0
# What waits for a connection waits here instead of there.
_NO_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT_S)
_NUMBER: Final = re.compile(r"\d+")


class Read(NamedTuple):
    """What is asked for, and the cookie of whoever asks; an operator has none."""

    path: str
    cookie: str | None


@dataclass(slots=True)
class Asked:
    """What became of the requests of one rate; `nights` ended meanwhile."""

    rate: int
    beside: bool
    ms: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0
    nights: int = 0

    def figures(self) -> dict[str, Any]:
        """Return what is kept of them; percentiles are of what was answered."""
        found = {f"p{share}_ms": self._percentile(share) for share in PERCENTILES}
        unserved = sum(self.refused.values())
        cpu_ms = round(1000.0 * self.cpu_s / (len(self.ms) + unserved), 1)
        rate = {"rate": self.rate, "beside": self.beside, "nights": self.nights, "served": len(self.ms)}
        return {**rate, **found, "unserved": unserved, "cpu_ms": cpu_ms, "refused": dict(self.refused)}

    def _percentile(self, share: int) -> float | None:
        return round(float(np.percentile(self.ms, share)), 1) if self.ms else None


async def measure(reached: dict[str, Any], universe: Universe, sessions_of: Sessions) -> list[Asked]:
    """Return what became of reads at every rate, alone and beside nights."""
    sessions = iter(universe.sessions[STORED_SESSIONS + 1 :])
    async with httpx.AsyncClient(**{**reached, "base_url": reached["base_url"] + API, "limits": _NO_LIMITS}) as client:
        token = client.headers.pop("Authorization")
        operator = {"Authorization": token}
        reads = await _usual_reads(client, operator, universe.stocks, sessions_of)
        # What is loaded once is no part of what a read costs.
        for read in dict.fromkeys([*(each for each in reads if each.cookie is None), *reads[:50]]):
            await client.get(read.path, headers=_credentials(read, operator))
        await asyncio.sleep(SETTLED_AFTER_S)
        found = []
        for beside, rate in itertools.product((False, True), RATES):
            asked = Asked(rate, beside)
            stop = asyncio.Event()
            nights = asyncio.create_task(_nights(client, operator, sessions, asked, stop)) if beside else None
            await _ask(client, reads, operator, asked)
            stop.set()
            if nights is not None:
                # The last one ends before the next rate; one that could not run tells that there was none beside it.
                await nights
            console.log(asked.figures())
            found.append(asked)
    return found


def _credentials(read: Read, operator: dict[str, str]) -> dict[str, str]:
    return operator if read.cookie is None else {"Cookie": f"{COOKIE}={read.cookie}"}


async def _nights(
    client: httpx.AsyncClient, operator: dict[str, str], sessions: Iterator[date], asked: Asked, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        session = str(next(sessions))
        night = {"kind": "nightly", "first_session": session, "last_session": session}
        run_id = (await _insisting(client, operator, "POST", "/runs", json=night))["run"]["run_id"]
        await _ended(client, operator, run_id)
        asked.nights += 1


async def _ended(client: httpx.AsyncClient, operator: dict[str, str], run_id: str) -> None:
    while True:
        run = await _insisting(client, operator, "GET", f"/runs/{run_id}?failures=1")
        if run["status"] != "active":
            return
        await asyncio.sleep(LOOK_EVERY_S)


async def _insisting(
    client: httpx.AsyncClient, operator: dict[str, str], method: str, path: str, **body: Any
) -> dict[str, Any]:
    """Return what is answered; a platform that is busy is asked again."""
    while True:
        answer = await client.request(method, path, headers=operator, **body)
        if answer.status_code != 503:
            answer.raise_for_status()
            return dict(answer.json())
        await asyncio.sleep(LOOK_EVERY_S)


async def _usual_reads(
    client: httpx.AsyncClient, operator: dict[str, str], symbols: Sequence[str], sessions_of: Sessions
) -> list[Read]:
    """Return what people read, each of one portfolio and symbol, and now and then a list that an operator looks at."""
    listed = (await client.get("/portfolios", params={"limit": 200}, headers=operator)).json()["items"]
    now = SystemClock().now()
    of_one = []
    for number, (portfolio, symbol) in enumerate(zip(listed, itertools.cycle(symbols), strict=False)):
        owner = portfolio["portfolio_id"]
        cookie = sessions_of.issue(Principal(f"reader-{number}", Role.VIEWER), at=now)
        paths = (
            f"/portfolios/{owner}",
            f"/portfolios/{owner}/snapshots?limit=21",
            f"/portfolios/{owner}/values",
            f"/risk/portfolios/{owner}",
            f"/readiness/{owner}",
            f"/symbols/{symbol}",
        )
        of_one += [Read(path, cookie) for path in paths]
    lists = ["/portfolios?limit=50", "/snapshots?limit=50", "/readiness?limit=50", "/runs?limit=20", "/schedule"]
    generator = np.random.default_rng(17)
    return [
        Read(lists[generator.integers(len(lists))], None)
        if generator.random() < 0.1
        else of_one[generator.integers(len(of_one))]
        for _ in range(2_000)
    ]


async def _ask(client: httpx.AsyncClient, reads: Sequence[Read], operator: dict[str, str], asked: Asked) -> None:
    tasks = list[asyncio.Task[None]]()
    before, began = _platform_cpu_s(), time.perf_counter()
    for number, read in zip(range(int(asked.rate * ASKED_S)), itertools.cycle(reads), strict=False):
        due = began + number / asked.rate
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        tasks.append(asyncio.create_task(_one(client, read.path, _credentials(read, operator), due, asked)))
    await asyncio.gather(*tasks)
    asked.cpu_s = _platform_cpu_s() - before


async def _one(client: httpx.AsyncClient, path: str, headers: dict[str, str], due: float, asked: Asked) -> None:
    try:
        answer = await client.get(path, headers=headers)
    except httpx.TransportError as error:
        asked.refused[type(error).__name__] += 1
        return
    if answer.status_code == 200:
        asked.ms.append(1000.0 * (time.perf_counter() - due))
    else:
        asked.refused[f"{answer.status_code} {_why(answer)}"] += 1


def _why(answer: httpx.Response) -> str:
    """Return the words of a refusal, without what differs from one to the next."""
    try:
        return _NUMBER.sub("N", str(answer.json()["detail"]))
    except (ValueError, KeyError):
        return _NUMBER.sub("N", answer.text[:100])


def _platform_cpu_s() -> float:
    # Without this process, which asks.
    return sum(seconds for kind, seconds in cpu_seconds().items() if kind != "python")


def table_of(size: str, found: Sequence[Asked]) -> Table:
    """Return the figures for the terminal."""
    table = Table(title=f"{size}: usual reads; CPU is all of the platform's, of a read, with the nights beside it")
    shown = [{name: figure for name, figure in asked.figures().items() if name != "refused"} for asked in found]
    for name in shown[0]:
        table.add_column(name, justify="right")
    for figures in shown:
        table.add_row(*map(str, figures.values()))
    return table


def refusals_of(found: Sequence[Asked]) -> Table:
    """Return why what was refused, for the terminal."""
    table = Table(title="refused, and why")
    for name in ("rate", "beside", "times", "why"):
        table.add_column(name, justify="left" if name == "why" else "right")
    for asked in found:
        for why, times in asked.refused.most_common():
            table.add_row(str(asked.rate), str(asked.beside), str(times), why)
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
                key = DataDirectory(directory / "data").find_secret("session.key") or SecretStr("")
                sessions_of = Sessions(key, lasting=timedelta(hours=1), believed_for=timedelta(hours=1))
                found = asyncio.run(measure(reached, universe, sessions_of))
        kept[size] = [asked.figures() for asked in found]
        shown = Console(width=120)
        shown.print(table_of(size, found))
        if any(asked.refused for asked in found):
            shown.print(refusals_of(found))
    output = Path("build/bench-reads.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:] or ["500x1000"])
