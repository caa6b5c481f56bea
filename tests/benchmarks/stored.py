"""`sigmasight up` over a store of many portfolios and symbols, as those find it who ask it over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from services.ops.data_directory import DataDirectory
from services.ops.hosting.child_process import platform_process
from tests.benchmarks.platform import enter_portfolios, platform
from tests.benchmarks.universe import Universe, write_files

STORED_SESSIONS: Final = 300
POSITIONS: Final = 50

console = Console(stderr=True)


async def fill(directory: Path, universe: Universe, portfolios: int) -> None:
    """Store prices, portfolios, and what a backfill and a night compute of them; later sessions are for who comes."""
    write_files(universe, directory / "files")
    stored_until, session = map(str, universe.sessions[STORED_SESSIONS - 1 : STORED_SESSIONS + 1])
    async with platform(directory / "data", directory / "files") as running:
        console.log(f"{len(universe.stocks)} x {portfolios} on {running.broker}: storing {STORED_SESSIONS} sessions")
        await running.run(kind="backfill", symbols=universe.stocks, last_session=stored_until)
        opened_on = universe.sessions[STORED_SESSIONS - 1]
        await enter_portfolios(running, universe.stocks, count=portfolios, size=POSITIONS, opened_on=opened_on)
        await running.run(kind="backfill", last_session=stored_until)
        await running.run(kind="nightly", first_session=session, last_session=session)


@contextmanager
def served(directory: Path, *, workers: int) -> Iterator[dict[str, Any]]:
    """Run the platform on what is stored in a directory; yield how a client of httpx reaches it, as an operator."""
    data_dir = DataDirectory(directory / "data")
    prices = ("--providers", "files", "--files", str(directory / "files"))
    with platform_process(data_dir, (*prices, "--workers", str(workers), "--log-level", "error")):
        token = data_dir.find_secret("operator.token")
        headers = {"Authorization": f"Bearer {token.get_secret_value() if token else ''}"}
        yield {"base_url": data_dir.find_url() or "", "headers": headers, "timeout": 60.0, "trust_env": False}
