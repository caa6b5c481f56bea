"""Commands about runs: `run`, `runs` and `status`."""

import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking
from services.ops.terminal import say


@dataclass(frozen=True, kw_only=True)
class RunOptions(ClientOptions):
    """The options of `run`."""

    start: Annotated[date | None, day("First session; by default the last one.", "--start", "--start-date")] = None
    as_of: Annotated[
        date | None, day("Last session; by default the last that has closed.", "--as-of", "--end-date")
    ] = None
    portfolio: Annotated[list[str] | None, typer.Option(help="Only this one, by name or id; may be repeated.")] = None
    force_rerun: Annotated[
        bool, typer.Option("--force-rerun", help="Compute what is done, too, as every run does.")
    ] = False
    json: Annotated[
        bool, typer.Option("--json", "--summary-json", help="Print JSON on standard output and nothing else.")
    ] = False


@taking(RunOptions)
def run(options: RunOptions) -> None:
    """Compute sessions from prices to risk and follow it.

    One session, or those of a range to catch up. Exits with 0 only when nothing failed.
    """
    from services.ops.client.progress import follow_run
    from services.ops.client.runs import end_with_runs, open_run

    with options.connected() as client:
        run_id = open_run(client, options.start, options.as_of, options.portfolio or ())
        end_with_runs([follow_run(client, run_id)], as_json=options.json)


class Kind(StrEnum):
    """Why a run was asked for."""

    NIGHTLY = "nightly"
    ON_DEMAND = "on_demand"
    BACKFILL = "backfill"
    ONBOARDING = "onboarding"
    CORRECTION = "correction"
    REPLAY = "replay"


class Status(StrEnum):
    """How a run stands."""

    ACTIVE = "active"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class ListOptions(ClientOptions):
    """The options of `runs list`."""

    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None
    session: Annotated[date | None, day("Only those over this session.")] = None
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20
    before: Annotated[str | None, typer.Option(help="Those asked for before this run, by its id.")] = None


@taking(ListOptions)
def list_runs(options: ListOptions) -> None:
    """List runs, the newest request first."""
    from services.ops.client.runs import load_runs, print_runs

    with options.connected() as client:
        options.show(load_runs(client, options), print_runs)


@dataclass(frozen=True, kw_only=True)
class OneRunOptions(ClientOptions):
    """Which run."""

    run: Annotated[str, typer.Argument(help="Its id, as `runs list` shows it.")]


@taking(OneRunOptions)
def show(options: OneRunOptions) -> None:
    """Show how far a run is, and what failed by cause."""
    from services.ops.client.progress import load_run
    from services.ops.client.rendering import print_run

    with options.connected() as client:
        options.show(load_run(client, options.run), print_run)


@dataclass(frozen=True, kw_only=True)
class LogsOptions(OneRunOptions):
    """The options of `runs logs`."""

    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False


@taking(LogsOptions)
def logs(options: LogsOptions) -> None:
    """Show what happened in a run, line by line.

    With --json --follow, an object a line.
    """
    from services.ops.client.run_log import follow_log, load_log, print_line, print_log

    with options.connected() as client:
        if not options.follow:
            options.show(load_log(client, options.run), print_log)
            return
        for line in follow_log(client, options.run):
            if options.json:
                say(json.dumps(line))
            else:
                print_line(line, line["eta_s"])


@taking(OneRunOptions)
def retry_failed(options: OneRunOptions) -> None:
    """Run again what a run left undone and follow it.

    Its symbols and portfolios that failed or never came, and who holds those symbols, over the sessions at which that
    is so. Exits with 0 only when nothing failed.
    """
    from services.ops.client.asker import asker
    from services.ops.client.progress import follow_run
    from services.ops.client.routes import RETRY_RUN
    from services.ops.client.runs import end_with_runs

    with options.connected() as client:
        opened = client.send(RETRY_RUN.at(run_id=options.run), {"requested_by": asker()})
        end_with_runs([follow_run(client, opened["run"]["run_id"])], as_json=options.json)


@taking(OneRunOptions)
def cancel(options: OneRunOptions) -> None:
    """End a run at once; what it has computed stays."""
    from services.ops.client.asker import asker
    from services.ops.client.routes import CANCEL_RUN
    from services.ops.client.runs import print_runs

    with options.connected() as client:
        cancelled = client.send(CANCEL_RUN.at(run_id=options.run), {"requested_by": asker()})
    options.show(cancelled, lambda found: print_runs([found]))


@dataclass(frozen=True, kw_only=True)
class StatusOptions(ClientOptions):
    """The options of `status`."""

    watch: Annotated[bool, typer.Option("--watch", help="Look again until Ctrl-C.")] = False


@taking(StatusOptions)
def status(options: StatusOptions) -> None:
    """Show whether the platform is ready and how its runs are.

    The latest of them, how far the newest is, and whose marks are old.
    """
    if options.watch and options.json:
        raise Misused("--watch and --json exclude each other")
    from services.ops.client.status import load_status, print_status, watch_status

    with options.connected() as client:
        if options.watch:
            watch_status(client)
        else:
            options.show(load_status(client), print_status)
