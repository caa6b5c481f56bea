"""`make` sets an environment up from the index that pip is told, whatever the lock has been made from."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import wheels

ROOT = Path(__file__).parents[2]

PROJECT = """
[project]
name = "project"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["dependency==1.0"]

[build-system]
requires = []
build-backend = "wheels"
backend-path = ["."]
"""
LOCK = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "dependency"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [
    {{ url = "https://files.pythonhosted.org/dependency-1.0-py3-none-any.whl", hash = "sha256:{digest}" }},
]

[[package]]
name = "project"
version = "1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "dependency" }}]

[package.metadata]
requires-dist = [{{ name = "dependency", specifier = "==1.0" }}]
"""


class _Index(SimpleHTTPRequestHandler):
    """Files of a directory: a package is one with links to its wheels."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The URL of an index with the dependency."""
    package = tmp_path / "index" / "simple" / "dependency"
    package.mkdir(parents=True)
    wheels.write_wheel(package, "dependency")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Index, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with one dependency, and uv as pip would have brought it."""
    checkout = tmp_path / "project"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text(PROJECT)
    digest = hashlib.sha256(wheels.write_wheel(tmp_path, "dependency").read_bytes()).hexdigest()
    (checkout / "uv.lock").write_text(LOCK.format(digest=digest))
    shutil.copy(ROOT / "Makefile", checkout)
    shutil.copy(wheels.__file__, checkout)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    (checkout / ".venv/bin/uv").symlink_to(Path(sys.executable).with_name("uv"))
    return checkout


def _set_up(project: Path, index: str) -> subprocess.CompletedProcess[str]:
    # Nothing of the machine but its programs: no certificates, no proxy, no configuration.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project.parent),
        "PIP_INDEX_URL": index,
        "UV_HTTP_RETRIES": "0",
    }
    return subprocess.run(
        ["make", ".venv/.synced"], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def _installed(project: Path) -> set[str]:
    return {found.name for found in project.glob(".venv/lib/python*/site-packages/*.dist-info")}


def test_setup_takes_what_is_locked_from_the_index_of_pip(project: Path, index: str) -> None:
    done = _set_up(project, index)

    assert (done.returncode, done.stderr) == (0, "")
    assert _installed(project) == {"dependency-1.0.dist-info", "project-1.0.dist-info"}


def test_setup_refuses_a_file_that_is_not_the_one_of_the_lock(project: Path, index: str) -> None:
    lock = project / "uv.lock"
    lock.write_text(re.sub(r"(?<=sha256:)\w+", hashlib.sha256().hexdigest(), lock.read_text()))

    done = _set_up(project, index)

    assert done.returncode != 0
    assert "Hash mismatch for `dependency==1.0`" in done.stderr
    assert _installed(project) == set()


def test_setup_without_its_index_says_which_url_and_why(project: Path) -> None:
    done = _set_up(project, "http://127.0.0.1:1/simple")

    assert done.returncode != 0
    assert "http://127.0.0.1:1/simple/dependency/" in done.stderr
    assert "Connection refused" in done.stderr
    assert not (project / ".venv/.synced").exists()
