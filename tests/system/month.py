"""A month of the three sample portfolios, to be disturbed."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.digests import Digest, digest_results
from tests.support.hosted import Up

SAMPLES = Path("services/ops/samples")
EQUITY = {"long-only": "1300000", "long-short": "1300000", "funds-and-private": "1500000"}
OPENED, LAST = "2022-11-28", "2022-12-28"
MONTH = {"first_session": OPENED, "last_session": LAST, "requested_by": "the kill test"}


@contextmanager
def data_directory() -> Iterator[Path]:
    """A data directory that the account of PostgreSQL gets into (pytest's own temporary directory is closed to it)."""
    directory = Path(tempfile.mkdtemp(prefix="sigmasight-kill-"))
    try:
        yield directory
    finally:
        moved = directory / "postgres.home"
        if moved.exists():
            shutil.rmtree(moved.read_text())
        shutil.rmtree(directory)


async def import_portfolios(up: Up) -> list[str]:
    """Enter the three sample portfolios and return the runs that value them."""
    async with up.api() as api:
        entered = [
            await api.import_portfolio(
                name, (SAMPLES / f"{name}.csv").read_text(), opening_equity=equity, opened_on=OPENED, as_of=OPENED
            )
            for name, equity in EQUITY.items()
        ]
    return [entry["run_id"] for entry in entered]


async def undisturbed_month(options: Sequence[str]) -> dict[str, Digest]:
    """Return the results of the month when nothing happens to it."""
    with data_directory() as directory:
        up = Up(directory, options)
        try:
            await up.start()
            async with up.api() as api:
                for run_id in await import_portfolios(up):
                    assert (await api.ended(run_id))["status"] == "completed"
                opened = await api.post("/runs", MONTH)
                assert (await api.ended(opened["run"]["run_id"]))["status"] == "completed"
            digests = await digest_results(up.database_url)
        finally:
            up.stop()
    assert digests["snapshots"].rows == 66, "22 sessions of three portfolios"
    assert min(digest.rows for digest in digests.values()) > 0
    return digests
