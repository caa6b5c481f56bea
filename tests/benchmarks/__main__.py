"""`make bench`: a night of N symbols x P portfolios x 50 positions over 300 stored sessions, measured.

``python -m tests.benchmarks 500x50 2000x500`` writes ``build/bench.json`` and prints a table.
"""

import asyncio
import json
import platform as machine
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from shared.telemetry import configure_logging
from tests.benchmarks.bound import measure_bound
from tests.benchmarks.platform import Platform, enter_portfolios, onboard, platform
from tests.benchmarks.processes import cpu_seconds, peak_rss_mib
from tests.benchmarks.universe import Universe, make_universe, write_files

STORED_SESSIONS = 300
NIGHTS = 3  # the median is reported, and the first
# Consumers of some brokers look rarer the longer there is nothing.
SETTLED_AFTER_S, IDLE_S = 30.0, 30.0
ONBOARDINGS = 10
POSITIONS = 50
NEW_SYMBOLS = 5  # in each portfolio of unknown symbols
COLUMNS = ("night_s", "bound_s", "rows", "statements", "peak_rss_mib", "hop_ms_p50", "hop_ms_p95")
ONBOARDING_COLUMNS = ("onboarding_known_s_p95", "onboarding_new_s_p95")

console = Console(stderr=True)


async def measure(symbols: int, portfolios: int, directory: Path) -> dict[str, Any]:
    """Return the figures of one size."""
    spare = ONBOARDINGS * NEW_SYMBOLS
    universe = make_universe(symbols + spare, STORED_SESSIONS + 2 * NIGHTS + 1)
    write_files(universe, directory / "files")
    known = universe.stocks[:symbols]
    stored_until = universe.sessions[STORED_SESSIONS - 1]
    async with platform(directory / "data", directory / "files") as running:
        console.log(f"{symbols} x {portfolios} on {running.broker}: storing {STORED_SESSIONS} sessions")
        await running.run(kind="backfill", symbols=known, last_session=stored_until.isoformat())
        await enter_portfolios(running, known, count=portfolios, size=POSITIONS, opened_on=stored_until)
        await running.run(kind="backfill", last_session=stored_until.isoformat())
        sessions = iter(universe.sessions[STORED_SESSIONS:])
        nights = [await _night(running, next(sessions)) for _ in track(range(NIGHTS), "nights", console=console)]
        idle = await _idle()
        async with running.with_worker():
            # The first one of a process learns what the others have in memory.
            shared = [
                await _night(running, next(sessions)) for _ in track(range(NIGHTS + 1), "shared", console=console)
            ]
        # The groups that the other process has left have given out their partitions by then.
        await asyncio.sleep(SETTLED_AFTER_S)
        onboarding = await _onboardings(running, universe, known)
        bound = await measure_bound(_only(universe, symbols), running.admin, portfolios=portfolios, size=POSITIONS)
    middle, of_two = _median(nights), _median(shared[1:])
    figures = {
        "symbols": symbols,
        "portfolios": portfolios,
        **middle,
        "bound_s": bound.seconds,
        **onboarding,
        "first_night_s": nights[0]["night_s"],
        "portfolios_per_core_s": portfolios / sum(middle["cpu_s"].values()),
        "idle_cpu_share": sum(idle.values()),
        "idle_cpu_share_of": idle,
        "two_processes": {
            **{name: of_two[name] for name in ("night_s", "cpu_s", "peak_rss_mib")},
            "of_the_time": of_two["night_s"] / middle["night_s"],
            # Tells how well the work is shared also where others use the machine, which makes seconds of a clock long.
            "busiest_of_the_cpu": max(of_two["cpu_s"]["python"], of_two["cpu_s"]["worker"]) / middle["cpu_s"]["python"],
            "of_the_memory": of_two["peak_rss_mib"] / middle["peak_rss_mib"],
        },
    }
    return {**_rounded(figures), "numerics_cpu_s": {name: round(value, 4) for name, value in bound.numerics.items()}}


def _median(nights: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(nights, key=lambda night: night["night_s"])[len(nights) // 2]


def _rounded(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {name: _rounded(figure) for name, figure in figures.items()}
    return round(figures, 3) if isinstance(figures, float) else figures


async def _idle() -> dict[str, float]:
    """Return which share of a core each kind of process takes of a platform that does nothing."""
    await asyncio.sleep(SETTLED_AFTER_S)
    before, began = cpu_seconds(), time.perf_counter()
    await asyncio.sleep(IDLE_S)
    seconds, now = time.perf_counter() - began, cpu_seconds()
    return {kind: (now[kind] - before[kind]) / seconds for kind in sorted(now)}


async def _night(running: Platform, session: date) -> dict[str, Any]:
    # As after a day: the first change of a page goes to the log with all of the page.
    await running.admin.execute("CHECKPOINT")
    rows, statements, written = await running.rows_written(), running.statements(), await running.write_position()
    used = cpu_seconds()
    run = await running.run(kind="nightly", first_session=str(session), last_session=str(session))
    now = cpu_seconds()
    if run["status"] != "completed":
        raise RuntimeError(f"the night must complete, was {run['status']}: {run['failures'][:3]} {run['missing']}")
    hops = await running.hops_ms(run["run"]["run_id"])
    return {
        "night_s": run["seconds"],
        "stages": {stage["stage"]: round(stage["seconds"], 3) for stage in run["stages"]},
        "cpu_s": {kind: now[kind] - used[kind] for kind in sorted(now)},
        "wal_mib": (await running.write_position() - written) / 2**20,
        "rows": await running.rows_written() - rows,
        "statements": running.statements() - statements,
        "peak_rss_mib": peak_rss_mib(),
        "hop_ms_p50": float(np.percentile(hops, 50)),
        "hop_ms_p95": float(np.percentile(hops, 95)),
    }


async def _onboardings(running: Platform, universe: Universe, known: tuple[str, ...]) -> dict[str, float]:
    as_of = universe.sessions[-1]
    new = universe.stocks[len(known) :]
    known_s, new_s = [], []
    for number in track(range(ONBOARDINGS), "onboardings", console=console):
        mine = [known[(number * POSITIONS + index) % len(known)] for index in range(POSITIONS)]
        known_s.append(await onboard(running, f"known {number}", mine, as_of=as_of))
        fresh = [*mine[:-NEW_SYMBOLS], *new[number * NEW_SYMBOLS : (number + 1) * NEW_SYMBOLS]]
        new_s.append(await onboard(running, f"new {number}", fresh, as_of=as_of))
    return {
        "onboarding_known_s_p95": float(np.percentile(known_s, 95)),
        "onboarding_new_s_p95": float(np.percentile(new_s, 95)),
    }


def _only(universe: Universe, symbols: int) -> Universe:
    count = len(universe.symbols) - len(universe.stocks) + symbols
    return Universe(universe.sessions, universe.symbols[:count], universe.close[:, :count])


def table_of(results: list[dict[str, Any]]) -> Table:
    """Return the results for the terminal."""
    table = Table(title=f"night over {STORED_SESSIONS} stored sessions, {POSITIONS} positions a portfolio")
    table.add_column("symbols x portfolios")
    for name in (*COLUMNS, "night/bound", *ONBOARDING_COLUMNS):
        table.add_column(name, justify="right")
    for result in results:
        ratio = result["night_s"] / result["bound_s"]
        cells = [result[name] for name in COLUMNS] + [round(ratio, 1)] + [result[name] for name in ONBOARDING_COLUMNS]
        table.add_row(f"{result['symbols']} x {result['portfolios']}", *(f"{cell:,}" for cell in cells))
    return table


def costs_of(results: list[dict[str, Any]]) -> Table:
    """Return what the nights took beside time, and how one process compares with two."""
    table = Table(title="what a night takes; a checkpoint stands before each")
    table.add_column("")
    for result in results:
        table.add_column(f"{result['symbols']} x {result['portfolios']}", justify="right")
    for kind in results[0]["cpu_s"]:
        table.add_row(f"CPU seconds, {kind}", *(f"{result['cpu_s'][kind]:.2f}" for result in results))
    for name in ("first_night_s", "portfolios_per_core_s", "wal_mib"):
        table.add_row(name, *(f"{result[name]:,.2f}" for result in results))
    for kind in results[0]["idle_cpu_share_of"]:
        table.add_row(f"idle, share of a core, {kind}", *(f"{r['idle_cpu_share_of'][kind]:.3f}" for r in results))
    for name in ("night_s", "peak_rss_mib", "of_the_time", "busiest_of_the_cpu", "of_the_memory"):
        table.add_row(f"two processes: {name}", *(f"{result['two_processes'][name]:,.2f}" for result in results))
    return table


def stages_of(results: list[dict[str, Any]]) -> Table:
    """Return where the nights' time went; a stage begins when what it waits for has ended."""
    table = Table(title="seconds per stage")
    table.add_column("symbols x portfolios")
    for stage in results[0]["stages"]:
        table.add_column(stage, justify="right")
    for result in results:
        table.add_row(f"{result['symbols']} x {result['portfolios']}", *(f"{s:.2f}" for s in result["stages"].values()))
    return table


def numerics_of(results: list[dict[str, Any]]) -> Table:
    """Return what the numbers alone cost, from arrays to arrays."""
    table = Table(title="CPU seconds of the numerics")
    table.add_column("")
    for result in results:
        table.add_column(f"{result['symbols']} x {result['portfolios']}", justify="right")
    for family in results[0]["numerics_cpu_s"]:
        table.add_row(family, *(f"{result['numerics_cpu_s'][family]:.3f}" for result in results))
    table.add_row("in all", *(f"{sum(result['numerics_cpu_s'].values()):.3f}" for result in results))
    return table


def main(sizes: list[str]) -> None:
    """Measure every size in a process of its own state and write the results."""
    configure_logging(level="ERROR")
    results = []
    for size in sizes:
        symbols, _, portfolios = size.partition("x")
        with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as directory:
            results.append(asyncio.run(measure(int(symbols), int(portfolios), Path(directory))))
    output = Path("build/bench.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(results, indent=2))
    shown = Console(width=180)
    shown.print(table_of(results), costs_of(results), stages_of(results), numerics_of(results))
    shown.print(f"Python {machine.python_version()}, {machine.machine()}, {machine.system()}; figures in {output}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["500x50"])
