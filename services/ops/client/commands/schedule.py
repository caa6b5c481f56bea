"""Commands about the schedule: `schedule`, `schedule pause`, `schedule resume` and `trigger`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import CommandError
from services.ops.options import taking


class Stage(StrEnum):
    """What may be triggered."""

    NIGHTLY = "nightly"
    SYMBOLS = "symbols"
    PORTFOLIOS = "portfolios"


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions(ClientOptions):
    """The options of `schedule`."""

    context: typer.Context


@taking(ScheduleOptions)
def schedule(options: ScheduleOptions) -> None:
    """Show the next ten times of the nights, and the last ten."""
    if options.context.invoked_subcommand is not None:
        return
    from services.ops.client.schedule import load_schedule, print_schedule

    with options.connected() as client:
        options.show(load_schedule(client), print_schedule)


@dataclass(frozen=True, kw_only=True)
class PauseOptions(ClientOptions):
    """The options of `schedule pause`."""

    why: Annotated[str, typer.Option(help="Kept with who paused it.")]


@taking(PauseOptions)
def pause(options: PauseOptions) -> None:
    """Ask for no nights until resumed.

    Those that pass meanwhile are not made up for.
    """
    from services.ops.client.schedule import pause_schedule

    with options.connected() as client:
        pause_schedule(client, options.why, as_json=options.json)


@taking(ClientOptions)
def resume(options: ClientOptions) -> None:
    """Ask for nights again."""
    from services.ops.client.schedule import resume_schedule

    with options.connected() as client:
        resume_schedule(client, as_json=options.json)


@dataclass(frozen=True, kw_only=True)
class TriggerOptions(ClientOptions):
    """The options of `trigger`."""

    stage: Annotated[Stage, typer.Argument(help="The whole night, or one stage of it.")]
    wait: Annotated[bool, typer.Option("--wait", help="Follow what it asks for to the end.")] = False


@taking(TriggerOptions)
def trigger(options: TriggerOptions) -> None:
    """Ask for the night of the last closed session, like a cron.

    What has been asked for already is joined.

    With --wait, exit 0: completed; 1: failed; 2: completed with failures; 130: interrupted.
    """
    from services.ops.client.schedule import trigger_stage

    try:
        with options.connected() as client:
            told = trigger_stage(client, options.stage.value, wait=options.wait, as_json=options.json)
    except CommandError as error:
        error.exit_code = 1
        raise
    raise typer.Exit(told)
