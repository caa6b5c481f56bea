"""The command line as people use it: a platform that `up` has started, and client commands against it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner, Result

from services.ops.cli import app
from services.ops.data_directory import DataDirectory
from tests.support.stack import wanted_broker

Process = subprocess.Popen[str]


@cache
def root(application: Typer = app) -> TyperGroup:
    """Return the command line put together, which takes longer than most commands take to run."""
    group = get_command(application)
    assert isinstance(group, TyperGroup)
    return group


def invoke(*arguments: str, environment: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
    """Run a command line here, as typed; typer's own runner puts all commands together for each."""
    with patch("typer.testing._get_command", root):
        return CliRunner().invoke(app, arguments, env=environment, input=stdin)


def command(*arguments: str | Path) -> list[str]:
    """Return the command in a process of its own."""
    return [sys.executable, "-m", "services.ops", *map(str, arguments)]


def sigmasight(data_dir: Path, *arguments: str | Path, stdin: str | None = None) -> Result:
    """Run a client command here: another process would take longer to load than the command to run."""
    return invoke(*map(str, arguments), "--data-dir", str(data_dir), stdin=stdin)


def answer(data_dir: Path, *arguments: str | Path) -> Any:
    """Return what a client command answers in JSON."""
    done = sigmasight(data_dir, *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def start(data_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> Process:
    """Start a platform and return its process once it tells where it is."""
    DataDirectory(data_dir).remove_endpoint()
    where = ("--data-dir", data_dir, "--port", "0", "--broker", wanted_broker())
    process = subprocess.Popen(
        command("up", *where, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        while DataDirectory(data_dir).find_url() is None:
            assert process.poll() is None, f"not started: {process.communicate()[0]}"
            time.sleep(0.1)
    except BaseException:
        process.kill()
        raise
    return process


@contextmanager
def up(data_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run a platform, and stop it if nobody else does."""
    process = start(data_dir, *options, environment=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def open_to_others(directory: Path) -> Path:
    """Let another account in: PostgreSQL does not run under root's."""
    # It is in a directory of the session, in one of the account and, of a worker, in one between.
    for step in (directory, *(each for each in directory.parents if each.name.startswith(("pytest-", "popen-")))):
        step.chmod(0o755)
    return directory
