"""The README is run: every command in it, in its order, against a platform that its `up` has started."""

import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hosted import Up
from tests.support.stack import wanted_broker

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()]
CLIENT = [line for line in COMMANDS if line.startswith(".venv/bin/sigmasight ")]
MAKE = [line for line in COMMANDS if line.startswith("make ")]

pytestmark = pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker")


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    directory = tmp_path_factory.mktemp("readme")
    # PostgreSQL runs under another account than root, which has to get in.
    for step in (directory, *directory.parents[:2]):
        step.chmod(0o755)
    hosted = Up(directory / "data", ["--broker", wanted_broker()])
    await hosted.start()
    yield hosted
    hosted.stop()


def test_readme_has_at_most_200_lines() -> None:
    assert len(README.splitlines()) <= 200


def test_readme_commands_are_all_of_a_kind_that_is_run_here() -> None:
    assert set(COMMANDS) == {*CLIENT, *MAKE, "export SIGMASIGHT_DATA_DIR=build/readme"}
    assert {"make demo", "make test", "make kafka", "make test-kafka"} <= set(MAKE)


@pytest.mark.parametrize("command", MAKE)
def test_readme_make_command_names_a_target(command: str) -> None:
    # The targets themselves are what runs this test, or run on their own in `.ci/run`.
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert shlex.split(command)[1] in targets


def test_readme_client_commands_succeed_in_their_order(up: Up, tmp_path: Path) -> None:
    sigmasight = Path(sys.executable).with_name("sigmasight")
    for command in CLIENT:
        arguments = [
            str(tmp_path / word.removeprefix("build/")) if word.startswith("build/") else word
            for word in shlex.split(command)[1:]
        ]
        done = subprocess.run(
            [sigmasight, *arguments, "--data-dir", up.data_dir],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for name in ("factors.parquet", "long-only.html"):
        assert (tmp_path / name).stat().st_size > 0
