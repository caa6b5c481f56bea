"""`make bench-growth`: what nights in a row add to the database, by table.

``python -m tests.benchmarks.growth 200x20 10`` enters 20 books of 50 of 200 symbols, runs a first night, which fills
what is empty, and ten more: rows, heap, index and TOAST bytes of each table, and WAL bytes, a night.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.scheduler.settings import SchedulerSettings
from shared.telemetry import configure_logging
from tests.benchmarks.platform import Platform, enter_portfolios, platform
from tests.benchmarks.universe import make_universe, write_files

STORED_SESSIONS, POSITIONS = 300, 50
SCHEDULER = SchedulerSettings(batch_processing_enabled=False, max_backfill_dates=0)
MEASURES: Final = ("rows", "heap", "index", "toast")
# The partitions of an outbox are one table; what is TOAST is that with its index.
_SIZES = """
    SELECT n.nspname || '.' || regexp_replace(c.relname, '^outbox_.*$', 'outbox') AS name,
        sum(pg_relation_size(c.oid))::bigint AS heap, sum(pg_indexes_size(c.oid))::bigint AS index,
        sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))::bigint AS toast,
        sum(pg_stat_get_tuples_inserted(c.oid))::bigint AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' GROUP BY 1
"""

console = Console(stderr=True)


async def sizes(running: Platform) -> Counter[tuple[str, str]]:
    """Return rows and bytes by table and measure."""
    await running.admin.execute("SELECT pg_stat_force_next_flush()")
    found = await running.admin.fetch(_SIZES)
    return Counter({(row["name"], measure): row[measure] for row in found for measure in MEASURES})


async def measure(symbols: int, portfolios: int, nights: int, directory: Path) -> dict[str, Any]:
    """Return what a night adds on average, by table, and to the log that is written ahead."""
    universe = make_universe(symbols, STORED_SESSIONS + nights + 1)
    write_files(universe, directory / "files")
    opened_on, first, *later = universe.sessions[STORED_SESSIONS - 1 :]
    async with platform(directory / "data", directory / "files", scheduler=SCHEDULER) as running:
        console.log(f"{symbols} x {portfolios} on {running.broker}: {nights} nights after the first")
        await running.run(kind="backfill", symbols=universe.stocks, last_session=str(opened_on))
        await enter_portfolios(running, universe.stocks, count=portfolios, size=POSITIONS, opened_on=opened_on)
        await running.run(kind="backfill", last_session=str(opened_on))
        await running.run(kind="nightly", first_session=str(first), last_session=str(first))
        before, written = await sizes(running), await running.write_position()
        for session in later:
            await running.run(kind="nightly", first_session=str(session), last_session=str(session))
        after = await sizes(running)
        grown: dict[str, dict[str, float]] = {}
        for name, what in sorted(after):
            grown.setdefault(name, {})[what] = (after[name, what] - before[name, what]) / nights
        wal = (await running.write_position() - written) / nights
    return {"nights": nights, "wal": wal, "tables": {name: each for name, each in grown.items() if any(each.values())}}


def table_of(size: str, found: dict[str, Any]) -> Table:
    """Return the figures for the terminal, in KiB, the largest first."""
    table = Table(title=f"{size}: what a night adds; KiB (log written ahead: {found['wal'] / 1024:.0f})")
    for name in ("", "rows", "heap", "index", "TOAST", "together"):
        table.add_column(name, justify="right")
    bytes_of = {name: [each[what] for what in MEASURES[1:]] for name, each in found["tables"].items()}
    for name in sorted(bytes_of, key=lambda name: -sum(bytes_of[name])):
        sums = (*bytes_of[name], sum(bytes_of[name]))
        table.add_row(name, f"{found['tables'][name]['rows']:.0f}", *(f"{size / 1024:.1f}" for size in sums))
    total = [sum(column) for column in zip(*bytes_of.values(), strict=True)]
    rows = sum(each["rows"] for each in found["tables"].values())
    table.add_row("together", f"{rows:.0f}", *(f"{size / 1024:.1f}" for size in (*total, sum(total))))
    return table


def main(size: str = "200x20", nights: str = "10") -> None:
    """Measure and write the results."""
    configure_logging(level="ERROR")
    symbols, _, portfolios = size.partition("x")
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as directory:
        found = asyncio.run(measure(int(symbols), int(portfolios), int(nights), Path(directory)))
    output = Path("build/bench-growth.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({size: found}, indent=2))
    Console(width=120).print(table_of(size, found))


if __name__ == "__main__":
    main(*sys.argv[1:])
