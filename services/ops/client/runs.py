"""Beginning runs, and how a command ends with them."""

import json
from collections.abc import Sequence
from datetime import date

import typer

from services.ops.client.answers.portfolios import Accepted
from services.ops.client.answers.runs import RunProgress
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio
from services.ops.client.progress import follow_run
from services.ops.client.rendering import print_run, run_succeeded
from services.ops.client.routes import CALCULATE, OPEN_RUN


class ImportRun(Accepted, RunProgress):
    """A portfolio that was stored, and how the run that values it ended."""


def open_runs(client: ApiClient, first: date | None, last: date | None, portfolios: Sequence[str]) -> list[str]:
    """Begin one run over everything, or one for each of the portfolios by name or id; return their ids.

    Raises
    ------
    Misused, Refused
        If there is no such portfolio, or the sessions make no sense.
    """
    first_session, last_session = (day.isoformat() if day else None for day in (first, last))
    if not portfolios:
        body = {
            "kind": "on_demand",
            "first_session": first_session,
            "last_session": last_session,
            "requested_by": "cli",
        }
        return [client.send(OPEN_RUN, body)["run"]["run_id"]]
    # Every name before the first run: one that is wrong begins nothing.
    wanted = dict.fromkeys(find_portfolio(client, given)["portfolio_id"] for given in portfolios)
    body = {"first_session": first_session, "as_of": last_session}
    return [client.send(CALCULATE.at(portfolio_id=portfolio_id), body)["run_id"] for portfolio_id in wanted]


def follow_import(client: ApiClient, stored: Accepted) -> ImportRun:
    """Return what was stored with the run that values it, when that has ended."""
    return {**stored, **follow_run(client, stored["run_id"])}


def end_with_runs(ended: Sequence[RunProgress], *, as_json: bool) -> None:
    """Show runs that have ended, one as itself, and leave with 1 when they did not serve everything."""
    if as_json:
        typer.echo(json.dumps(ended[0] if len(ended) == 1 else ended, indent=2))
    else:
        for run_ended in ended:
            print_run(run_ended)
    if not all(map(run_succeeded, ended)):
        raise typer.Exit(1)
