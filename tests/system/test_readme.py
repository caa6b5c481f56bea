"""The README and the page on debugging are run: every command, in its order, against a platform of their own."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from operator import itemgetter
from pathlib import Path

import asyncpg
import pytest

from services.ops.hosting.embedded.postgres import EmbeddedPostgres
from shared.contracts.services import SERVICES
from tests.support.hosted import Up
from tests.support.stack import wanted_broker

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEBUGGING = (ROOT / "docs" / "debugging.md").read_text()
BIN = Path(sys.executable).parent


def _lines(page: str, language: str = "bash") -> list[str]:
    """Return what is between the fences of a page."""
    return [line for block in re.findall(rf"```{language}\n(.*?)```", page, re.S) for line in block.splitlines()]


COMMANDS = _lines(README)
CLIENT = [line for line in COMMANDS if line.startswith(".venv/bin/sigmasight ")]
MAKE = [line for line in COMMANDS if line.startswith("make ")]
DEBUGGING_MAKE = [line for line in _lines(DEBUGGING) if "make " in line]

pytestmark = pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker")


def _run(*command: str | Path) -> str:
    """Return what a command says that has to succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    directory = tmp_path_factory.mktemp("readme")
    # PostgreSQL runs under another account than root, which has to get in.
    for step in (directory, *directory.parents[:2]):
        step.chmod(0o755)
    hosted = Up(directory / "data", ["--broker", wanted_broker(), "--log-level", "debug"])
    await hosted.start()
    yield hosted
    hosted.stop()


@pytest.fixture(scope="module")
def out(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's client commands have left their files."""
    directory = tmp_path_factory.mktemp("out")
    for command in CLIENT:
        arguments = [
            str(directory / word.removeprefix("build/")) if word.startswith("build/") else word
            for word in shlex.split(command)[1:]
        ]
        _run(BIN / "sigmasight", *arguments, "--data-dir", up.data_dir)
    return directory


def test_readme_has_at_most_200_lines() -> None:
    assert len(README.splitlines()) <= 200


def test_readme_commands_are_all_of_a_kind_that_is_run_here() -> None:
    assert set(COMMANDS) == {*CLIENT, *MAKE, "export SIGMASIGHT_DATA_DIR=build/readme"}
    assert {"make demo", "make test", "make kafka", "make test-kafka"} <= set(MAKE)


@pytest.mark.parametrize("command", MAKE + DEBUGGING_MAKE)
def test_make_command_names_a_target(command: str) -> None:
    # The targets themselves are what runs this test, or run on their own in `.ci/run`.
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    words = shlex.split(command)
    assert words[words.index("make") + 1] in targets


def test_readme_opens_its_sample_as_the_sample_says() -> None:
    (command,) = (shlex.split(line) for line in CLIENT if "portfolios import" in line)
    header = (ROOT / command[3]).read_text().splitlines()[0]

    assert command[command.index("--opened-on") + 1] in header
    assert f"{int(command[command.index('--equity') + 1]):,}" in header


@pytest.mark.slow
def test_readme_client_commands_succeed_in_their_order(out: Path) -> None:
    for name in ("factors.parquet", "long-only.html"):
        assert (out / name).stat().st_size > 0


@pytest.mark.slow
def test_up_tells_each_step_of_its_start(up: Up) -> None:
    said = up.log.read_text()

    for step in (
        *("database is up", "broker is up", "services are loaded", "roles and schemas are there"),
        *("tables are there", "topics are there", "services are up"),
    ):
        assert len(re.findall(rf"\[info +\] {step} .*seconds=\d", said)) == 1, step


def test_debugging_page_has_less_than_60_lines() -> None:
    assert len(DEBUGGING.splitlines()) < 60


@pytest.mark.slow
def test_debugging_page_follows_a_run_through_every_service(up: Up, out: Path) -> None:
    script = "\n".join(line for line in _lines(DEBUGGING) if line not in DEBUGGING_MAKE)
    for said, here in (("build/up.log", up.log), (" build/readme", f" {up.data_dir}"), (".venv/bin", BIN)):
        script = script.replace(said, str(here))

    said = _run("bash", "-euo", "pipefail", "-c", script)

    for service in SERVICES:
        assert f"service={service} " in said
    for message in ("run opened", "stage finished", "event consumed", "run finished"):
        assert message in said
    assert "[100%]" in said


@pytest.mark.slow
async def test_debugging_page_runs_one_handler_and_keeps_nothing(up: Up, out: Path) -> None:
    up.stop()
    script = "\n".join(_lines(DEBUGGING, "python")).replace("build/readme", str(up.data_dir))
    announced = await _rows(up, "DELETE FROM portfolio.outbox WHERE topic = 'portfolios.valued' RETURNING id, value")

    said = _run(sys.executable, "-c", script)

    again, first = (
        json.loads(value) for value in (ast.literal_eval(said), max(announced, key=itemgetter("id"))["value"])
    )
    # Computed once more, nothing of it is new.
    assert (first.pop("unchanged"), again.pop("unchanged")) == (0, len(again["snapshots"]))
    assert again == first
    assert await _rows(up, "SELECT value FROM portfolio.outbox WHERE topic = 'portfolios.valued'") == []


async def _rows(up: Up, query: str) -> list[asyncpg.Record]:
    async with EmbeddedPostgres(up.data_dir) as postgres:
        connection = await asyncpg.connect(postgres.url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query)
        finally:
            await connection.close()
    return rows
