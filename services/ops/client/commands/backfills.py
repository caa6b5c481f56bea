"""Commands about backfills: plan, start, list, show, pause, resume, cancel and try again what failed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking


class Reprocess(StrEnum):
    """Which cells are computed."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(ClientOptions):
    """Which cells a backfill is about."""

    first: Annotated[date, day("First session.", "--from")]
    last: Annotated[date | None, day("Last session; by default the last that has closed.", "--to")] = None
    portfolio: Annotated[list[str] | None, typer.Option(help="This one, by name or id; may be repeated.")] = None
    symbol: Annotated[list[str] | None, typer.Option(help="This one; may be repeated.")] = None
    everything: Annotated[bool, typer.Option("--all", help="Every symbol and portfolio.")] = False
    reprocess: Annotated[
        Reprocess, typer.Option(help="Never computed; or those that failed, too; or all, whatever they are.")
    ] = Reprocess.MISSING

    def check(self) -> None:
        """Refuse a selection that names nothing, or everything and something.

        Raises
        ------
        Misused
            If so.
        """
        if self.everything == bool(self.portfolio or self.symbol):
            raise Misused("name what to compute: --all, or --portfolio and --symbol as often as needed")


@taking(SelectionOptions)
def plan(options: SelectionOptions) -> None:
    """Show which cells a backfill would compute; begin nothing."""
    options.check()
    from services.ops.client.backfills import body_of, load_plan, print_plan

    with options.connected() as client:
        options.show(load_plan(client, body_of(client, options)), print_plan)


@dataclass(frozen=True, kw_only=True)
class StartOptions(SelectionOptions):
    """The options of `backfill start`."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False


@taking(StartOptions)
def start(options: StartOptions) -> None:
    """Begin a backfill, the oldest session first.

    With --wait, exit 0: completed; 2: some cells failed; 1: cancelled; 130: interrupted, and it goes on.
    """
    options.check()
    from services.ops.client.backfills import (
        body_of,
        end_with,
        follow_backfill,
        load_plan,
        print_backfill,
        print_plan,
    )
    from services.ops.client.routes import START_BACKFILL

    with options.connected() as client:
        body = body_of(client, options)
        if options.dry_run:
            options.show(load_plan(client, body), print_plan)
            return
        begun = client.send(START_BACKFILL, body)
        if options.wait:
            begun = follow_backfill(client, begun["backfill_id"])
    options.show(begun, print_backfill)
    if options.wait:
        raise typer.Exit(end_with(begun))


@taking(ClientOptions)
def list_backfills(options: ClientOptions) -> None:
    """List the newest backfills."""
    from services.ops.client.backfills import print_backfills
    from services.ops.client.routes import BACKFILLS

    with options.connected() as client:
        options.show(client.get(BACKFILLS)["items"], print_backfills)


@dataclass(frozen=True, kw_only=True)
class BackfillOptions(ClientOptions):
    """Which backfill."""

    backfill: Annotated[str, typer.Argument(help="Its id, as `backfill list` shows it.")]


@taking(BackfillOptions)
def show(options: BackfillOptions) -> None:
    """Show how far a backfill is, step by step, and what failed."""
    from services.ops.client.backfills import load_backfill, print_shown

    with options.connected() as client:
        options.show(load_backfill(client, options.backfill), print_shown)


@taking(BackfillOptions)
def pause(options: BackfillOptions) -> None:
    """Begin no more of its steps; the one in flight ends."""
    _change(options, "pause")


@taking(BackfillOptions)
def resume(options: BackfillOptions) -> None:
    """Go on where it was paused."""
    _change(options, "resume")


@taking(BackfillOptions)
def cancel(options: BackfillOptions) -> None:
    """Drop what it has not begun and cancel what it has."""
    _change(options, "cancel")


@taking(BackfillOptions)
def retry_failed(options: BackfillOptions) -> None:
    """Queue the cells of its selection that are not done."""
    from services.ops.client.backfills import print_retry
    from services.ops.client.routes import RETRY_BACKFILL

    with options.connected() as client:
        options.show(client.send(RETRY_BACKFILL.at(backfill_id=options.backfill), {}), print_retry)


def _change(options: BackfillOptions, change: str) -> None:
    from services.ops.client.backfills import print_backfill
    from services.ops.client.routes import CANCEL_BACKFILL, PAUSE_BACKFILL, RESUME_BACKFILL

    routes = {"pause": PAUSE_BACKFILL, "resume": RESUME_BACKFILL, "cancel": CANCEL_BACKFILL}
    with options.connected() as client:
        options.show(client.send(routes[change].at(backfill_id=options.backfill), {}), print_backfill)
