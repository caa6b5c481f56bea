"""Beginning runs, looking at them, and how a command ends with them."""

import json
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import typer

from services.ops.client.answers.portfolios import Accepted
from services.ops.client.answers.runs import RunReport, RunSummary
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio_ids
from services.ops.client.paging import load_first
from services.ops.client.progress import follow_run
from services.ops.client.rendering import console, print_run, run_succeeded, run_table
from services.ops.client.routes import OPEN_RUN, RUN, RUNS
from services.ops.terminal import say

if TYPE_CHECKING:
    from services.ops.client.commands.runs import ListOptions


class ImportRun(Accepted, RunReport):
    """A portfolio that was stored, and how the run that values it ended."""


def open_run(client: ApiClient, first: date | None, last: date | None, portfolios: Sequence[str]) -> str:
    """Begin a run over everything, or over the portfolios by name or id; return its id.

    Raises
    ------
    Misused, Refused
        If there is no such portfolio, the sessions make no sense, or another run is in the way.
    """
    body = {
        "kind": "on_demand",
        "first_session": first.isoformat() if first else None,
        "last_session": last.isoformat() if last else None,
        "portfolio_ids": find_portfolio_ids(client, portfolios) if portfolios else None,
        "requested_by": asker(),
    }
    return client.send(OPEN_RUN, body)["run"]["run_id"]


def load_runs(client: ApiClient, options: "ListOptions") -> list[RunSummary]:
    """Return the runs that the options name, the newest request first."""
    before = client.get(RUN.at(run_id=options.before), failures=1)["requested_at"] if options.before else None
    return load_first(
        client,
        RUNS,
        options.limit,
        before=before,
        kind=options.kind,
        status=options.status,
        session=options.session,
    )


def print_runs(runs: Sequence[RunSummary]) -> None:
    """Show a line a run."""
    console().print(run_table(runs) if runs else "no such runs")


def follow_import(client: ApiClient, stored: Accepted) -> ImportRun:
    """Return what was stored with the run that values it, when that has ended."""
    return {**stored, **follow_run(client, stored["run_id"])}


def end_with_runs(ended: Sequence[RunReport], *, as_json: bool) -> None:
    """Show runs that have ended, one as itself, and leave with 1 when they did not serve everything."""
    if as_json:
        say(json.dumps(ended[0] if len(ended) == 1 else ended, indent=2))
    else:
        for run_ended in ended:
            print_run(run_ended)
    if not all(map(run_succeeded, ended)):
        raise typer.Exit(1)
