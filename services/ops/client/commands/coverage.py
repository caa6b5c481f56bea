"""Commands about completeness: `coverage` and `ready`."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class CoverageOptions(ClientOptions):
    """The options of `coverage`."""

    portfolio: Annotated[str | None, typer.Option(help="A portfolio and what it holds, by name or id.")] = None
    symbol: Annotated[str | None, typer.Option(help="A symbol, for example AAPL.")] = None
    first: Annotated[date | None, day("First session; by default a month or three before the last.", "--from")] = None
    last: Annotated[date | None, day("Last session; by default the last that has closed.", "--to")] = None


@taking(CoverageOptions)
def coverage(options: CoverageOptions) -> None:
    """Show as a calendar what is done, failed or never asked for."""
    if options.portfolio is not None and options.symbol is not None:
        raise Misused("--portfolio and --symbol exclude each other")
    from services.ops.client.coverage import load_coverage, print_coverage

    with options.connected() as client:
        found = load_coverage(client, options.portfolio, options.symbol, options.first, options.last)
    options.show(found, print_coverage)


@dataclass(frozen=True, kw_only=True)
class ReadyOptions(ClientOptions):
    """The options of `ready`."""

    portfolio: Annotated[str | None, typer.Argument(help="Its id or its name; without, all of them.")] = None
    as_of: Annotated[date | None, day("The session; by default the last that has closed.")] = None


@taking(ReadyOptions)
def ready(options: ReadyOptions) -> None:
    """Say whether numbers are ready, if not why and what to do.

    Exits with 0 only when they are.
    """
    from services.ops.client import coverage as found

    with options.connected() as client:
        if options.portfolio is None:
            every = found.load_all_readiness(client, options.as_of)
            options.show(every, found.print_all_readiness)
            is_ready = found.are_ready(every)
        else:
            one = found.load_readiness(client, options.portfolio, options.as_of)
            options.show(one, found.print_readiness)
            is_ready = found.is_ready(one)
    if not is_ready:
        raise typer.Exit(1)
