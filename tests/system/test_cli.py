"""The command line against a platform that it has started itself."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.ops.client.export_tables import EXPORTS
from tests.support.command_line import Process, answer, command, open_to_others, sigmasight, up
from tests.support.exported import READERS
from tests.support.stack import wanted_broker

_SAMPLES = Path(__file__).parents[2] / "services" / "ops" / "samples"

pytestmark = pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker")


def _another_process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = environment or dict(os.environ)
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment)


def _stop(process: Process, stop_signal: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(stop_signal)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def _import(data_dir: Path, name: str, *options: str) -> Any:
    sessions = ("--opened-on", "2022-11-28", "--as-of", "2022-11-28")
    return answer(
        data_dir, "portfolios", "import", _SAMPLES / f"{name}.csv", "--equity", "1300000", *sessions, *options
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_to_others(tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="module")
def platform(data_dir: Path) -> Iterator[Path]:
    """The data directory of a platform that has onboarded a portfolio."""
    with up(data_dir) as process:
        _import(data_dir, "long-only")
        yield data_dir
        _stop(process, signal.SIGINT)


def test_cli_run_of_a_week_completes_and_counts_every_stage(platform: Path) -> None:
    ended = answer(platform, "run", "--start", "2022-12-22", "--as-of", "2022-12-28")

    assert ended["status"] == "completed"
    assert ended["failures"] == []
    stages = {stage["stage"]: (stage["parts_done"], stage["parts_total"]) for stage in ended["stages"]}
    assert len(stages) == 7
    assert all(done == total for done, total in stages.values())


def test_cli_rebuild_finds_the_servers_of_what_runs_and_no_difference(platform: Path) -> None:
    asked = ("rebuild", "risk", "--beside"), ("rebuild", "risk", "diff"), ("rebuild", "risk", "promote")

    beside, diff, promoted = (sigmasight(platform, *command) for command in asked)

    assert [done.exit_code for done in (beside, diff, promoted)] == [0, 0, 0], beside.stderr + diff.stderr
    assert "0 could not be processed\nnothing differs\nnothing has been taken over" in beside.stdout
    assert diff.stdout == "nothing differs\n"
    assert promoted.stdout.startswith("risk: taken over")
    again = sigmasight(platform, "rebuild", "risk", "diff")
    said = "sigmasight: nothing is beside risk: `rebuild risk --beside` makes it"
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (2, said)


def test_cli_run_of_portfolio_by_name_is_about_that_one(platform: Path) -> None:
    (listed,) = answer(platform, "portfolios", "list")

    ended = answer(platform, "run", "--portfolio", "long-only", "--as-of", "2022-12-28")

    assert ended["status"] == "completed"
    assert ended["run"]["portfolio_ids"] == [listed["portfolio_id"]]


def test_cli_shows_what_happened_in_a_run_and_follows_it_to_its_end(platform: Path) -> None:
    (listed,) = answer(platform, "runs", "list", "--limit", "1")
    run_id = listed["run"]["run_id"]

    log = answer(platform, "runs", "logs", run_id)
    followed = sigmasight(platform, "runs", "logs", run_id, "--follow", "--json")
    shown = sigmasight(platform, "runs", "logs", run_id)

    assert [line["what"] for line in (log[0], log[-1])] == ["opened", "ended"]
    told = [json.loads(line) for line in followed.stdout.splitlines()]
    assert [line["place"] for line in told] == [line["place"] for line in log]
    assert len(shown.stdout.splitlines()) == len(log)


def test_cli_status_lists_the_runs_and_the_newest(platform: Path) -> None:
    found = answer(platform, "status")

    assert found["state"] == "ready"
    assert found["newest"]["run"] == found["runs"][0]["run"]


def test_cli_shows_portfolio_by_name_with_values_and_risk(platform: Path) -> None:
    found = answer(platform, "show", "portfolio", "long-only", "--as-of", "2022-11-28")

    assert found["snapshot"]["as_of"] == "2022-11-28"
    assert len(found["positions"]) == 12
    betas = {factor["factor"]: factor["beta"] for factor in found["risk"]["factors"]}
    assert betas["market_beta"]["value"] == pytest.approx(0.8, abs=0.2)
    assert betas["growth"]["reason"] == "NOT_APPLICABLE"


def test_cli_shows_symbol_with_reason_for_every_number_it_lacks(platform: Path) -> None:
    done = sigmasight(platform, "show", "symbol", "aapl", "--as-of", "2022-11-28")

    assert done.exit_code == 0
    assert "no proxy configured for growth" in done.stdout
    assert "market_beta" in done.stdout
    assert "no statement with net_income is known" in done.stdout
    assert "2022-11-25" in done.stdout  # the base of the one-day return


@pytest.mark.parametrize("results", EXPORTS)
def test_cli_exports_the_same_rows_to_every_format(platform: Path, tmp_path: Path, results: str) -> None:
    frames = []
    for ending, read in READERS.items():
        out = tmp_path / f"out{ending}"
        written = answer(platform, "export", results, "--from", "2022-11-28", "--to", "2022-11-28", "--out", out)
        frames.append(read(out))
        assert len(frames[-1]) == written["rows"] > 0

    assert len({tuple(frame.columns) for frame in frames}) == 1
    assert {str(day)[:10] for frame in frames for day in frame["as_of"]} == {"2022-11-28"}
    if "portfolio" in frames[0]:
        assert all(frame["portfolio"].notna().all() for frame in frames)


def test_cli_import_of_broken_file_names_every_row_and_stores_nothing(platform: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    rows = ("AAPL,many,1,2022-01-03", ",5,1,2022-01-03", "MSFT,1,1,2022-01-03")
    broken.write_text("\n".join(("Symbol,Quantity,Entry Price Per Share,Entry Date", *rows)))

    done = sigmasight(platform, "portfolios", "import", broken, "--equity", "1000")

    assert done.exit_code == 2
    assert "line 2, Quantity: " in done.stderr
    assert "line 3, Symbol: " in done.stderr
    assert done.stdout == ""
    assert [entry["name"] for entry in answer(platform, "portfolios", "list")] == ["long-only"]


def test_cli_import_of_unknown_symbol_shows_the_reason_and_exits_1(platform: Path, tmp_path: Path) -> None:
    book = tmp_path / "unknown.csv"
    book.write_text("Symbol,Quantity,Entry Price Per Share,Entry Date\nNOSUCH,5,1,2022-12-01\n")

    done = sigmasight(platform, "portfolios", "import", book, "--equity", "1000", "--as-of", "2022-12-28", "--json")

    assert done.exit_code == 1
    (failure,) = json.loads(done.stdout)["failures"]
    assert (failure["subject"], failure["reason"]) == ("NOSUCH", "MISSING_DATA")


def test_cli_dry_run_says_what_is_understood_and_which_symbols_have_no_source(platform: Path, tmp_path: Path) -> None:
    book = tmp_path / "tried.csv"
    book.write_text(
        "symbol;quantity;entry price per share;entry date\nAAPL;4;150,5;2022-12-20\nNOSUCH;5;1;2022-12-20\n"
    )
    asked = ("portfolios", "import", book, "--equity", "1000", "--as-of", "2022-12-28", "--dry-run")

    tried, told = answer(platform, *asked), sigmasight(platform, *asked)

    assert (tried["gross"], tried["cash_left"], tried["separator"]) == ("607.00", "393.00", ";")
    assert list(tried["without_source"]) == ["NOSUCH"]
    assert "no prices: no provider serves NOSUCH" in told.stdout
    assert "tried" not in {entry["name"] for entry in answer(platform, "portfolios", "list")}


def test_cli_book_is_entered_and_corrected_by_hand(platform: Path) -> None:
    session = ("--as-of", "2022-11-30")
    later = (*session, "--no-wait")  # the last change asks for a run over all of them
    answer(platform, "portfolios", "create", "by hand", "--equity", "10000", "--opened-on", "2022-11-28", *session)
    trade = ("--quantity", "10", "--price", "147.11", "--entered-on", "2022-11-28")
    answer(platform, "positions", "add", "by hand", "AAPL", *trade, *later)
    answer(platform, "positions", "exit", "by hand", "AAPL", "--on", "2022-11-29", "--price", "150", *later)
    answer(platform, "positions", "correct", "by hand", "AAPL", "--quantity", "20", *later)
    paid = ("--on", "2022-11-29", "--amount", "1000", "--reference", "wire 7")
    answer(platform, "flows", "add", "by hand", *paid, *later)
    answer(platform, "flows", "correct", "by hand", "2022-11-29", "--amount", "500", *session)

    entered = answer(platform, "portfolios", "show", "by hand")
    (position,) = entered["positions"]
    assert Decimal(position["quantity"]) == 20
    assert (position["symbol"], position["kind"]) == ("AAPL", "LONG")
    assert [(done["on"], Decimal(done["price"])) for done in position["exits"]] == [("2022-11-29", Decimal(150))]
    flows = [(flow["on"], flow["amount"], flow["reference"]) for flow in entered["flows"]]
    assert flows == [("2022-11-29", "500.00", "wire 7")]
    worth = answer(platform, "show", "portfolio", "by hand", *session)["snapshot"]
    assert float(worth["equity"]) == pytest.approx(10_000 + 20 * (150 - 147.11) + 500)
    assert [edit["kind"] for edit in answer(platform, "portfolios", "edits", "by hand")] == [
        "position",
        "position",
        "flow",
    ]

    answer(platform, "portfolios", "rename", "by hand", "by hands", *later)
    missing = sigmasight(platform, "portfolios", "show", "by hand")
    assert (missing.exit_code, "did you mean 'by hands'" in missing.stderr) == (2, True)
    answer(platform, "portfolios", "rename", "by hands", "by hand", *later)

    answer(platform, "positions", "remove", "by hand", position["position_id"], *session)
    answer(platform, "flows", "remove", "by hand", "2022-11-29", *session)
    entered = answer(platform, "portfolios", "show", "by hand")
    assert (entered["positions"], entered["flows"]) == ([], [])
    shown = sigmasight(platform, "portfolios", "edits", "by hand").stdout
    assert "quantity 10 -> 20" in shown
    assert "taken away: on 2022-11-29, amount 500.00" in shown


def test_cli_change_of_what_a_book_does_not_hold_or_holds_twice_changes_nothing(platform: Path) -> None:
    unknown = sigmasight(platform, "positions", "remove", "long-only", "NOSUCH")
    half = sigmasight(platform, "positions", "correct", "long-only", "AAPL", "--strike", "100")

    assert (unknown.exit_code, half.exit_code) == (2, 2)
    assert "the portfolio has no position 'NOSUCH'" in unknown.stderr
    assert "an option needs --underlying, --strike and --expires-on" in half.stderr
    assert answer(platform, "portfolios", "edits", "long-only") == []


def test_cli_run_of_day_that_is_no_session_is_refused(platform: Path) -> None:
    done = sigmasight(platform, "run", "--as-of", "2022-12-25")

    assert done.exit_code == 2
    assert "--as-of: must be a session (the one before is 2022-12-23), was 2022-12-25" in done.stderr


def test_cli_second_up_on_the_same_directory_is_refused_and_disturbs_nothing(platform: Path) -> None:
    done = _another_process("up", "--port", "0", "--data-dir", platform)

    assert done.returncode == 2
    assert "must not be in use" in done.stderr
    assert answer(platform, "status")["state"] == "ready"


def test_cli_up_on_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = _another_process("up", "--port", str(taken.getsockname()[1]), "--data-dir", tmp_path)

    assert done.returncode == 2
    assert "choose another port with --port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_cli_serve_and_migrate_without_environment_name_what_is_missing() -> None:
    for asked in (("migrate",), ("serve", "risk", "--port", "0")):
        done = _another_process(*asked, PATH=os.environ["PATH"])

        assert done.returncode == 2
        assert "database_url" in done.stderr
        assert "bootstrap_servers" in done.stderr
        assert done.stderr.count("\n") == 1
