"""Commands about runs: `run` and `status`."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class RunOptions(ClientOptions):
    """The options of `run`."""

    start: Annotated[date | None, day("First session; by default the last one.")] = None
    as_of: Annotated[date | None, day("Last session; by default the last that has closed.")] = None
    portfolio: Annotated[list[str] | None, typer.Option(help="Only this one, by name or id; may be repeated.")] = None


@taking(RunOptions)
def run(options: RunOptions) -> None:
    """Compute sessions from prices to risk and follow it.

    Exits with 0 only when nothing failed.
    """
    from services.ops.client.progress import follow_run
    from services.ops.client.runs import end_with_runs, open_runs

    with options.connected() as client:
        opened = open_runs(client, options.start, options.as_of, options.portfolio or ())
        end_with_runs([follow_run(client, run_id) for run_id in opened], as_json=options.json)


@dataclass(frozen=True, kw_only=True)
class StatusOptions(ClientOptions):
    """The options of `status`."""

    watch: Annotated[bool, typer.Option("--watch", help="Look again until Ctrl-C.")] = False


@taking(StatusOptions)
def status(options: StatusOptions) -> None:
    """Show whether the platform is ready and how its runs are.

    The latest of them, and how far the newest is.
    """
    if options.watch and options.json:
        raise Misused("--watch and --json exclude each other")
    from services.ops.client.status import load_status, print_status, watch_status

    with options.connected() as client:
        if options.watch:
            watch_status(client)
        else:
            options.show(load_status(client), print_status)
