import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ops.hosting.embedded.account import postgres_account


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that the account of PostgreSQL gets into (pytest's own temporary directory is closed to it)."""
    directory = Path(tempfile.mkdtemp(prefix="sigmasight-ops-"))
    yield directory
    moved = directory / "postgres.home"
    if moved.exists():
        shutil.rmtree(moved.read_text())
    shutil.rmtree(directory)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that everybody gets into."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-ops-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def unreachable() -> Iterator[Path]:
    """A directory that only root gets into."""
    if postgres_account() is None:
        pytest.skip("only root runs PostgreSQL under another account")
    with tempfile.TemporaryDirectory(prefix="sigmasight-ops-") as directory:
        yield Path(directory)
