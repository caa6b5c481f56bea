"""Commands about the schedule: `schedule`, `schedule pause`, `schedule resume` and `trigger`."""

import getpass
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from services.ops.client.answers.runs import RunProgress
from services.ops.client.answers.schedule import Fire, Schedule
from services.ops.client.client import ApiClient, connected
from services.ops.client.progress import follow_run, read_patiently
from services.ops.client.rendering import console, print_run, run_succeeded, table
from services.ops.client.routes import FIRE, PAUSE_SCHEDULE, RESUME_SCHEDULE, SCHEDULE, TRIGGER
from services.ops.data_directory import DataDirectory
from services.ops.errors import CommandError
from services.ops.options import ClientOptions, taking

_LOOK_EVERY_S = 0.5
_SHOWN = 10
_FAILED = {"failed", "cancelled"}


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
    """Show when the nights are asked for: the next ten times, and what came of the last ten."""
    if options.context.invoked_subcommand is not None:
        return
    with connected(DataDirectory(options.data_dir), options.url) as client:
        found = client.get(SCHEDULE, limit=_SHOWN)
    if options.json:
        typer.echo(json.dumps(found, indent=2))
    else:
        console().print(_drawn(found))


@dataclass(frozen=True, kw_only=True)
class PauseOptions(ClientOptions):
    """The options of `schedule pause`."""

    why: Annotated[str, typer.Option(help="Kept with who paused it.")]


@taking(PauseOptions)
def pause(options: PauseOptions) -> None:
    """Ask for no nights until resumed; those that pass meanwhile are not made up for."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        lasting = client.send(PAUSE_SCHEDULE, {"why": options.why, "requested_by": _who()})
    text = f"paused since {_instant(lasting['paused_at'])} by {lasting['paused_by']}: {lasting['why']}"
    typer.echo(json.dumps(lasting, indent=2) if options.json else text)


@taking(ClientOptions)
def resume(options: ClientOptions) -> None:
    """Ask for nights again."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        ended = client.send(RESUME_SCHEDULE, {"requested_by": _who()})
    text = "was not paused" if ended is None else f"resumed; was paused by {ended['paused_by']}: {ended['why']}"
    typer.echo(json.dumps(ended, indent=2) if options.json else text)


@dataclass(frozen=True, kw_only=True)
class TriggerOptions(ClientOptions):
    """The options of `trigger`."""

    stage: Annotated[Stage, typer.Argument(help="The whole night, or one stage of it.")]
    wait: Annotated[bool, typer.Option("--wait", help="Follow what it asks for to the end.")] = False


@taking(TriggerOptions)
def trigger(options: TriggerOptions) -> None:
    """Ask for the night of the last closed session, for a cron; what has been asked for already is joined.

    With --wait, exit 0: completed; 1: failed; 2: completed with failures; 130: interrupted.
    """
    ended: dict[str, RunProgress] = {}
    try:
        with connected(DataDirectory(options.data_dir), options.url) as client:
            fires = client.send(TRIGGER.at(stage=options.stage.value), {"requested_by": _who()})
            if options.wait:
                fires = [_follow(client, fire, ended) for fire in fires]
    except CommandError as error:
        error.exit_code = 1
        raise
    runs = list(ended.values())
    _show_triggered(fires, runs, options)
    raise typer.Exit(exit_code(runs))


def exit_code(runs: Sequence[RunProgress]) -> int:
    """Return what a cron is told about runs that have ended."""
    if any(run["status"] in _FAILED for run in runs):
        return 1
    return 0 if all(map(run_succeeded, runs)) else 2


def _follow(client: ApiClient, fire: Fire, ended: dict[str, RunProgress]) -> Fire:
    """Follow the runs of a fire to their end, also what it asks for later; return the fire as it is then."""
    while True:
        for run_id in filter(None, [fire["waits_for"], *fire["run_ids"]]):
            if run_id not in ended:
                ended[run_id] = follow_run(client, run_id)
        if fire["outcome"] != "waiting":
            return fire
        time.sleep(_LOOK_EVERY_S)
        fire = read_patiently(client, FIRE.at(fire_id=fire["fire_id"]))


def _show_triggered(fires: Sequence[Fire], runs: Sequence[RunProgress], options: TriggerOptions) -> None:
    if options.json:
        typer.echo(json.dumps({"fires": fires, "runs": runs}, indent=2))
        return
    console().print(_fire_table("triggered", fires))
    for run in runs:
        print_run(run)


def _drawn(found: Schedule) -> RenderableType:
    lines = [f"{each['stage']}: {each['crontab']} {each['zone']}" for each in found["triggers"]]
    if not found["enabled"]:
        lines.append("asks for nothing: BATCH_PROCESSING_ENABLED is false")
    if found["pause"] is not None:
        lasting = found["pause"]
        lines.append(f"paused since {_instant(lasting['paused_at'])} by {lasting['paused_by']}: {lasting['why']}")
    rows = [(each["stage"], _instant(each["due_at"]), each["session"], each["expected"]) for each in found["next"]]
    coming = table("next", ("stage", "due", "session", "expected"), rows)
    return Group("\n".join(lines), coming, _fire_table("last", found["last"]))


def _fire_table(title: str, fires: Sequence[Fire]) -> RenderableType:
    rows = [
        (
            fire["stage"],
            _instant(fire["due_at"]),
            fire["session"],
            fire["outcome"],
            fire["detail"],
            fire["asked_by"] or "its time",
            " ".join(fire["run_ids"]),
        )
        for fire in fires
    ]
    return table(title, ("stage", "due", "session", "outcome", "detail", "by", "runs"), rows)


def _instant(text: str) -> str:
    return f"{text[:10]} {text[11:16]}Z"


def _who() -> str:
    try:
        return f"cli: {getpass.getuser()}"
    except (OSError, KeyError):  # an account without a name, as in a container
        return "cli"
