"""Commands about portfolios: `portfolios import` and `portfolios list`."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking
from services.ops.terminal import say


@dataclass(frozen=True, kw_only=True)
class OpeningOptions(ClientOptions):
    """How a portfolio begins."""

    equity: Annotated[str, typer.Option(help="Equity at the close before the first session, for example 1000000.00.")]
    currency: Annotated[str, typer.Option(help="Of its equity; what is quoted in another is not valued.")] = "USD"
    owner: Annotated[str | None, typer.Option(help="Whose it is: a name, or group:NAME.")] = None
    opened_on: Annotated[date | None, day("First session to value; by default the session of --as-of.")] = None
    as_of: Annotated[date | None, day("Session to calculate now; by default the last that has closed.")] = None
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run that values it.")] = True

    def named(self, name: str) -> dict[str, object]:
        """Return the portfolio as it is sent, without positions."""
        terms = {"name": name, "opening_equity": self.equity, "currency": self.currency, "owner": self.owner}
        return {**terms, "opened_on": self.opened_on, "as_of": self.as_of}


@dataclass(frozen=True, kw_only=True)
class ImportOptions(OpeningOptions):
    """The options of `portfolios import`."""

    file: Annotated[Path, typer.Argument(help="A CSV file of positions.")]
    name: Annotated[str | None, typer.Option(help="By default the name of the file.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is understood, store nothing.")] = False

    def body(self) -> dict[str, object]:
        """Return the portfolio as it is sent.

        Raises
        ------
        Misused
            If the file cannot be read.
        """
        return {**self.named(self.name or self.file.stem), "csv": read_positions_file(self.file)}


def read_positions_file(file: Path) -> str:
    """Return the text of a positions file.

    Raises
    ------
    Misused
        If it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misused(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Misused(f"cannot read {file}: {error}") from error


@taking(ImportOptions)
def import_portfolio(options: ImportOptions) -> None:
    """Store a portfolio from a CSV file and have it valued.

    All of it is stored or nothing. What was understood is said first.
    """
    from services.ops.client.importing import print_tried, with_sources
    from services.ops.client.routes import STORE_PORTFOLIO, TRY_PORTFOLIO
    from services.ops.client.runs import end_with_runs, follow_import

    with options.connected() as client:
        if options.dry_run:
            understood = client.send(TRY_PORTFOLIO, options.body())
            options.show(with_sources(client, understood, options.as_of), print_tried)
            return
        stored = client.send(STORE_PORTFOLIO, options.body())
        if not options.json:
            print_tried(with_sources(client, stored["understood"], options.as_of))
            say(f"portfolio {stored['portfolio_id']} stored with {stored['positions']} positions")
        if options.wait:
            end_with_runs([follow_import(client, stored)], as_json=options.json)
        elif options.json:
            say(json.dumps(stored, indent=2))


@taking(ClientOptions)
def list_portfolios(options: ClientOptions) -> None:
    """List the portfolios by name."""
    from services.ops.client.lookup import load_portfolios
    from services.ops.client.rendering import print_portfolios

    with options.connected() as client:
        found = load_portfolios(client)
    options.show(found, print_portfolios)
