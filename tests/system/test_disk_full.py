"""A disk that is full: who asks is told, a stop ends it, and with space again the work under way goes on by itself."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.digests import Digest, digest_results
from tests.support.eventually import eventually
from tests.support.hold import without_an_end
from tests.support.hosted import Up
from tests.system.month import MONTH, import_portfolios

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a disk of its own is root's to mount"),
]

OPTIONS = ["--broker", "tansu", "--providers", "sample"]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk; the test is left out where none can be had."""
    directory = Path(tempfile.mkdtemp(prefix="sigmasight-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=320m,mode=0755", "tmpfs", str(directory)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip(f"no disk can be mounted here: {mounted.stderr}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()


def _write_without_end(file: Path) -> None:
    with file.open("ab", buffering=0) as opened:
        while True:
            opened.write(bytes(1 << 12))


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no space on a disk."""
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        _write_without_end(filler)
    try:
        yield
    finally:
        filler.unlink()


async def test_full_disk_is_told_and_survived(disk: Path, undisturbed: dict[str, Digest]) -> None:
    up = Up(disk, OPTIONS)
    try:
        await up.start()
        async with up.api() as api:
            for run_id in await import_portfolios(up):
                assert (await api.ended(run_id))["status"] == "completed"
            async with without_an_end(up.database_url):
                opened = await api.post("/runs", MONTH)
                with full(disk):
                    told = await eventually(partial(_not_ready, up))
                    assert told is not None
                    assert f"the disk of {disk} must have 64 MiB free" in told
            assert (await api.ended(opened["run"]["run_id"]))["status"] == "completed"
        digests = await digest_results(up.database_url)

        with full(disk):
            assert up.process is not None
            up.process.send_signal(signal.SIGTERM)
            assert up.process.wait() == 0
        await up.start()
        assert await digest_results(up.database_url) == digests
    finally:
        up.stop()
    assert digests == undisturbed


async def _not_ready(up: Up) -> str | None:
    async with up.api() as api:
        answer = await api.client.get(f"{up.url}/health/ready")
    return str(answer.json()["detail"]) if answer.status_code == 503 else None
