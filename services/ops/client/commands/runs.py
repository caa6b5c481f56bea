"""Commands about runs: `run` and `status`."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Annotated, TypedDict

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from services.ops.client.answers.runs import RunProgress, RunSummary
from services.ops.client.client import ApiClient, connected
from services.ops.client.lookup import find_portfolio
from services.ops.client.progress import follow_run
from services.ops.client.rendering import console, failure_table, print_run, run_succeeded, stage_table, table
from services.ops.client.routes import CALCULATE, OPEN_RUN, READY, RUN, RUNS
from services.ops.data_directory import DataDirectory
from services.ops.errors import Misused, Refused, Unreachable
from services.ops.options import ClientOptions, day, taking

_WATCH_EVERY_S = 0.5
_RUNS_SHOWN = 10
_RUNS_WATCHED = 5


@dataclass(frozen=True, kw_only=True)
class RunOptions(ClientOptions):
    """The options of `run`."""

    start: Annotated[date | None, day("First session; by default the last one.")] = None
    as_of: Annotated[date | None, day("Last session; by default the last that has closed.")] = None
    portfolio: Annotated[list[str] | None, typer.Option(help="Only this one, by name or id; may be repeated.")] = None


@taking(RunOptions)
def run(options: RunOptions) -> None:
    """Compute sessions from prices to risk and follow it; exit 0 only when nothing failed."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        end_with_runs([follow_run(client, run_id) for run_id in _open_runs(client, options)], as_json=options.json)


def _open_runs(client: ApiClient, options: RunOptions) -> list[str]:
    first = options.start.isoformat() if options.start else None
    last = options.as_of.isoformat() if options.as_of else None
    if not options.portfolio:
        body = {"kind": "on_demand", "first_session": first, "last_session": last, "requested_by": "cli"}
        return [client.send(OPEN_RUN, body)["run"]["run_id"]]
    # Every name before the first run: one that is wrong begins nothing.
    wanted = dict.fromkeys(find_portfolio(client, given)["portfolio_id"] for given in options.portfolio)
    body = {"first_session": first, "as_of": last}
    return [client.send(CALCULATE.at(portfolio_id=portfolio_id), body)["run_id"] for portfolio_id in wanted]


def end_with_runs(ended: Sequence[RunProgress], *, as_json: bool) -> None:
    """Show runs that have ended, one as itself, and leave with 1 when they did not serve everything."""
    if as_json:
        typer.echo(json.dumps(ended[0] if len(ended) == 1 else ended, indent=2))
    else:
        for run_ended in ended:
            print_run(run_ended)
    if not all(map(run_succeeded, ended)):
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class StatusOptions(ClientOptions):
    """The options of `status`."""

    watch: Annotated[bool, typer.Option("--watch", help="Look again until Ctrl-C.")] = False


class PlatformStatus(TypedDict):
    """How a platform is."""

    url: str
    state: str
    runs: list[RunSummary]
    newest: RunProgress | None


@taking(StatusOptions)
def status(options: StatusOptions) -> None:
    """Show whether the platform is ready, its latest runs, and how far the newest is."""
    if options.watch and options.json:
        raise Misused("--watch and --json exclude each other")
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
                live.update(_watched(_status(client)), refresh=True)
            except Unreachable as away:
                live.update(str(away), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def _status(client: ApiClient) -> PlatformStatus:
    try:
        ready = client.get(READY)["status"]
    except Refused as not_ready:
        if not_ready.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        ready = not_ready.detail
    runs = client.get(RUNS, limit=_RUNS_SHOWN)
    newest = client.get(RUN.at(run_id=runs[0]["run"]["run_id"])) if runs else None
    return {"url": client.url, "state": ready, "runs": runs, "newest": newest}


def _drawn(found: PlatformStatus) -> RenderableType:
    return Group(_state(found), _run_table(found["runs"]), *_newest_tables(found))


def _watched(found: PlatformStatus) -> RenderableType:
    # A terminal shows the top of what does not fit.
    stages, *failures = _newest_tables(found) or [""]
    return Group(_state(found), stages, _run_table(found["runs"][:_RUNS_WATCHED], id_length=8), *failures)


def _state(found: PlatformStatus) -> str:
    return f"{found['url']}: {found['state']}"


def _run_table(runs: Sequence[RunSummary], *, id_length: int | None = None) -> RenderableType:
    columns = ("requested at", "kind", "sessions", "status", "by", "run")
    rows = [
        (
            listed["requested_at"][:19],
            listed["run"]["kind"],
            f"{listed['run']['first_session']} to {listed['run']['last_session']}",
            listed["status"],
            listed["run"]["requested_by"],
            listed["run"]["run_id"][:id_length],
        )
        for listed in runs
    ]
    return table("runs", columns, rows) if rows else "no runs yet; begin with `sigmasight portfolios import`"


def _newest_tables(found: PlatformStatus) -> list[RenderableType]:
    newest = found["newest"]
    return [stage_table(newest), failure_table(newest) or ""] if newest else []
