"""Commands about portfolios: `portfolios import` and `portfolios list`."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.ops.client.answers.portfolios import Accepted
from services.ops.client.answers.runs import RunProgress
from services.ops.client.client import ApiClient, connected
from services.ops.client.commands.runs import end_with_runs
from services.ops.client.lookup import load_portfolios
from services.ops.client.progress import follow_run
from services.ops.client.rendering import console, money, table
from services.ops.client.routes import STORE_PORTFOLIO
from services.ops.data_directory import DataDirectory
from services.ops.errors import Misused
from services.ops.options import ClientOptions, day, taking


@dataclass(frozen=True, kw_only=True)
class ImportOptions(ClientOptions):
    """The options of `portfolios import`."""

    file: Annotated[Path, typer.Argument(help="A CSV file of positions.")]
    equity: Annotated[str, typer.Option(help="Equity at the close before the first session, for example 1000000.00.")]
    name: Annotated[str | None, typer.Option(help="By default the name of the file.")] = None
    opened_on: Annotated[date | None, day("First session to value; by default the session of --as-of.")] = None
    as_of: Annotated[date | None, day("Session to calculate now; by default the last that has closed.")] = None
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run that values it.")] = True


class _Imported(Accepted, RunProgress):
    """A portfolio that was stored, and how the run that values it ended."""


@taking(ImportOptions)
def import_portfolio(options: ImportOptions) -> None:
    """Store a portfolio from a CSV file, all of it or nothing, and have it valued."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        stored = store_portfolio(client, options)
        if not options.json:
            typer.echo(f"portfolio {stored['portfolio_id']} stored with {stored['positions']} positions")
        if not options.wait:
            if options.json:
                typer.echo(json.dumps(stored, indent=2))
            return
        ended: _Imported = {**stored, **follow_run(client, stored["run_id"])}
        end_with_runs([ended], as_json=options.json)


def store_portfolio(client: ApiClient, options: ImportOptions) -> Accepted:
    """Send the file and return what was stored and the run that values it.

    Raises
    ------
    Misused, Refused
        If the file cannot be read, or a row of it is wrong.
    """
    try:
        content = options.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"cannot read {options.file}: {error}") from error
    return client.send(
        STORE_PORTFOLIO,
        {
            "name": options.name or options.file.stem,
            "opening_equity": options.equity,
            "opened_on": options.opened_on.isoformat() if options.opened_on else None,
            "as_of": options.as_of.isoformat() if options.as_of else None,
            "csv": content,
        },
    )


@taking(ClientOptions)
def list_portfolios(options: ClientOptions) -> None:
    """List the portfolios by name."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        found = load_portfolios(client)
    if options.json:
        typer.echo(json.dumps(found, indent=2))
        return
    rows = [
        (entry["name"], entry["portfolio_id"], entry["opened_on"], money(entry["opening_equity"])) for entry in found
    ]
    console().print(table("portfolios", ("name", "id", "first session", "opening equity"), rows))
