"""Commands about runs: `run` and `status`."""

import json
import time
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from services.ops.client import ApiClient, connected
from services.ops.commands.options import ClientOptions, day, taking
from services.ops.data_directory import DataDirectory
from services.ops.errors import Refused, Unreachable
from services.ops.progress import RunView, follow_run
from services.ops.rendering import console, failure_table, print_run, run_succeeded, stage_table, table

_WATCH_EVERY_S = 0.5
_RUNS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class RunOptions(ClientOptions):
    """The options of `run`."""

    start: Annotated[date | None, day("First session; by default the last one.")] = None
    as_of: Annotated[date | None, day("Last session; by default the last that has closed.")] = None
    portfolio: Annotated[list[str] | None, typer.Option(help="Only this portfolio; may be repeated.")] = None


@taking(RunOptions)
def run(options: RunOptions) -> None:
    """Compute sessions from prices to risk and follow it; exit 0 only when nothing failed."""
    body = {
        "kind": "on_demand",
        "first_session": options.start.isoformat() if options.start else None,
        "last_session": options.as_of.isoformat() if options.as_of else None,
        "portfolio_ids": options.portfolio or None,
        "requested_by": "cli",
    }
    with connected(DataDirectory(options.data_dir), options.url) as client:
        opened = client.post("/runs", body)
        end_with_run(follow_run(client, opened["run"]["run_id"]), as_json=options.json)


def end_with_run(ended: RunView, *, as_json: bool) -> None:
    """Show a run that has ended, and leave with 1 when it did not serve everything."""
    if as_json:
        typer.echo(json.dumps(ended, indent=2))
    else:
        print_run(ended)
    if not run_succeeded(ended):
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class StatusOptions(ClientOptions):
    """The options of `status`."""

    watch: Annotated[bool, typer.Option("--watch", help="Look again until Ctrl-C.")] = False


@taking(StatusOptions)
def status(options: StatusOptions) -> None:
    """Show whether the platform is ready, its latest runs, and how far the newest is."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        if options.json:
            typer.echo(json.dumps(_status(client), indent=2))
        elif options.watch:
            _watch(client)
        else:
            console().print(_drawn(_status(client)))


def _watch(client: ApiClient) -> None:
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                live.update(_drawn(_status(client)), refresh=True)
            except Unreachable as away:
                live.update(str(away), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def _status(client: ApiClient) -> dict[str, Any]:
    try:
        ready = client.get("/health/ready")["status"]
    except Refused as not_ready:
        ready = not_ready.detail
    runs = client.get("/runs", limit=_RUNS_SHOWN)
    newest = client.get(f"/runs/{runs[0]['run']['run_id']}") if runs else None
    return {"url": client.url, "state": ready, "runs": runs, "newest": newest}


def _drawn(found: dict[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [f"{found['url']}: {found['state']}"]
    columns = ("requested at", "kind", "sessions", "status", "by", "run")
    rows = [
        (
            listed["requested_at"][:19],
            listed["run"]["kind"],
            f"{listed['run']['first_session']} to {listed['run']['last_session']}",
            listed["status"],
            listed["run"]["requested_by"],
            listed["run"]["run_id"],
        )
        for listed in found["runs"]
    ]
    parts.append(table("runs", columns, rows) if rows else "no runs yet; begin with `sigmasight portfolios import`")
    if found["newest"]:
        parts.append(stage_table(found["newest"]))
        parts.append(failure_table(found["newest"]) or "")
    return Group(*parts)
