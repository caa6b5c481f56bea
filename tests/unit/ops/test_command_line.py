"""The command line as it is asked and refused: at once, without what the commands themselves need."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup

from services.ops.client.commands.exports import Results
from services.ops.client.export_tables import EXPORTS
from services.ops.data_directory import DataDirectory
from services.ops.hosting.embedded.lock import DataDirectoryLock
from shared.contracts.services import SERVICES
from tests.support.command_line import invoke, root, sigmasight

# typer and what it needs to read options.
LOADED_BY_TYPER = {
    "annotated_doc",
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "shellingham",
    "typer",
    "typing_extensions",
    "typing_inspection",
}
ASK = """
import json, sys
before = set(sys.modules)
from services.ops.cli import app
from typer.main import get_command
command = get_command(app)  # put together once, which takes longer than to answer
for arguments in json.loads(sys.argv[1]):
    try:
        command(arguments)
    except SystemExit as ended:
        assert ended.code in (0, 2)
print()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_instant_outside_of_the_years_is_refused_by_its_option() -> None:
    said = invoke("replay", "prices.updated", "--from", "0001-01-01T00:00+14:00", "--to", "2022-12-28")

    assert said.exit_code == 2
    assert "must lie between the years 1 and 9999 in UTC, was 0001-01-01T00:00+14:00" in " ".join(said.stderr.split())


def _commands(group: TyperGroup, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, *path, name)
        elif isinstance(command, TyperCommand):
            yield (*path, name)


def _modules_after(*asked: tuple[str, ...], **environment: str) -> set[str]:
    """Return what is loaded in a process of its own after these command lines."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def _from_elsewhere(modules: set[str]) -> set[str]:
    roots = {name.partition(".")[0] for name in modules if not name.startswith("_sysconfigdata")}
    return roots - sys.stdlib_module_names - {"services", "shared"}


def _of_services(modules: set[str]) -> set[str]:
    """Return what is of a service among modules, and what only services need."""
    prefixes = tuple(f"services.{service}." for service in SERVICES)
    heavy = _from_elsewhere(modules) & {"fastapi", "numpy", "pydantic_settings", "sqlalchemy"}
    return heavy | {name for name in modules if name.startswith(prefixes)}


def test_help_and_refused_options_load_nothing_but_what_reads_them() -> None:
    commands = list(_commands(root()))
    asked = [("--help",), ("--version",), *((*command, "--help") for command in commands)]
    refused = [
        *((*command, "--no-such-option") for command in commands),
        ("up", "--broker", "mqtt"),
        ("up", "--providers", "oracle"),
        ("up", "--providers", "files", "--files", "nowhere"),
        ("up", "--factor-set", "nonsense"),
        ("serve", "risk", "all"),
    ]

    assert len(commands) > 10
    assert _from_elsewhere(_modules_after(*asked, *refused)) <= LOADED_BY_TYPER


def test_commands_that_ask_a_platform_load_neither_pandas_nor_calendars_of_exchanges(tmp_path: Path) -> None:
    asked = [("status",), ("ready",), ("schedule",), ("runs", "list"), ("dead-letters", "list"), ("backfill", "list")]

    modules = _modules_after(*((*command, "--data-dir", str(tmp_path)) for command in asked))

    assert {"services.ops.client.client", "shared.calendar"} <= modules
    assert not _from_elsewhere(modules) & {"exchange_calendars", "pandas"}


def test_broker_that_cannot_be_run_is_refused_before_a_service_is_loaded(tmp_path: Path) -> None:
    up = ("up", "--broker", "kafka", "--data-dir", str(tmp_path / "data"))

    modules = _modules_after(up, SIGMASIGHT_KAFKA_JARS=str(tmp_path))

    assert not _of_services(modules)
    assert not (tmp_path / "data").exists()


def test_data_directory_in_use_is_refused_before_a_service_is_loaded_and_keeps_its_address(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with DataDirectoryLock(tmp_path):
        directory.write_endpoint("http://127.0.0.1:1")

        modules = _modules_after(("up", "--data-dir", str(tmp_path)), ("demo", "--data-dir", str(tmp_path)))

    assert not _of_services(modules)
    assert directory.find_url() == "http://127.0.0.1:1"


@pytest.mark.parametrize("directory", ["file", "file/below"])
def test_data_directory_that_is_none_is_named(tmp_path: Path, directory: str) -> None:
    (tmp_path / "file").touch()

    said = sigmasight(tmp_path / directory, "up")

    assert said.exit_code == 2
    assert f"data directory {tmp_path / directory} must be one that we may write to" in said.stderr


def test_help_says_what_each_command_does_without_breaking_off() -> None:
    groups = [name for name, command in root().commands.items() if isinstance(command, TyperGroup)]
    for asked in ([], *([name] for name in groups)):
        said = invoke(*asked, "--help", environment={"COLUMNS": "80"}).stdout

        assert "..." not in said.partition("Commands:")[2], asked


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        (["rebuild", "rsk"], "did you mean 'risk'?"),
        (["replay", "price.updated", "--from", "2022-12-28", "--to", "2022-12-29"], "did you mean 'prices.updated'"),
        (
            ["replay", "prices.updated", "--from", "2022-12-28", "--to", "2022-12-29", "--service", "portfolo"],
            "did you mean 'portfolio'?",
        ),
    ],
)
def test_name_that_nobody_has_is_answered_with_those_like_it(asked: list[str], question: str) -> None:
    said = invoke(*asked)

    assert said.exit_code == 2
    assert question in said.stderr


def test_position_is_added_with_all_its_terms_or_not_at_all() -> None:
    said = invoke("positions", "add", "ours", "AAPL", "--price", "1", "--entered-on", "2022-12-28")

    assert said.exit_code == 2
    assert "--quantity" in said.stderr


def test_short_help_is_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ((), *_commands(root())):
        with pytest.raises(SystemExit) as ended:
            root()([*command, "-h"])
        assert (ended.value.code, capsys.readouterr().out.split(maxsplit=1)[0]) == (0, "Usage:"), command


def test_version_is_that_of_the_package() -> None:
    result = invoke("--version")

    assert result.exit_code == 0
    assert result.stdout.startswith("sigmasight 0.")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("sigmasight por", "portfolios"), ("sigmasight up --broker ta", "tansu"), ("sigmasight up --bro", "--broker")],
)
def test_shell_completes_commands_options_and_choices(typed: str, completed: str) -> None:
    words = typed.split()
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1), "_SIGMASIGHT_COMPLETE": "complete_bash"}

    done = subprocess.run(
        [Path(sys.executable).with_name("sigmasight")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **asked},
    )

    assert done.stdout.split() == [completed]


def test_everything_that_can_be_exported_has_a_table() -> None:
    assert {result.value for result in Results} == set(EXPORTS)


def test_report_to_what_it_cannot_write_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    done = invoke("report", "book", "--out", str(tmp_path / "x.pdf"), "--url", "http://127.0.0.1:1")

    assert (done.exit_code, done.stderr.strip()) == (2, "sigmasight: --out must end with .html, was x.pdf")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "say where to write it: --out FILE.html, --pdf FILE.pdf, or both"),
        (["--pdf", "x.html"], "--pdf must end with .pdf, was x.html"),
    ],
)
def test_report_without_a_file_it_can_write_says_so(given: list[str], told: str) -> None:
    done = invoke("report", "book", *given, "--url", "http://127.0.0.1:1")

    assert (done.exit_code, done.stderr.strip()) == (2, f"sigmasight: {told}")


def test_report_as_pdf_without_a_browser_names_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("services.ops.client.browser._PLACES", ("/nowhere/Chrome",))

    done = invoke("report", "book", "--pdf", "x.pdf", "--url", "http://127.0.0.1:1")

    assert done.exit_code == 2
    for name in ("chromium", "google-chrome", "msedge", "/nowhere/Chrome", "--out"):
        assert name in done.stderr
