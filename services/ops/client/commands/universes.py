"""Commands about what indices are made of: `universe`."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class LoadOptions(ClientOptions):
    """The options of `universe load`."""

    file: Annotated[Path, typer.Argument(help="A CSV file with the columns symbol and weight, fractions.")]
    as_of: Annotated[date, day("The day from which they count.")]
    name: Annotated[str, typer.Option(help="Of the index.")] = "SP500"
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whether it can be loaded.")] = False


@taking(LoadOptions)
def load(options: LoadOptions) -> None:
    """Load what an index is made of, whole or not at all.

    Nights have prices of its symbols from then on.
    """
    from services.ops.client.universes import load_universe, print_universe

    options.show(load_universe(options), print_universe)


@dataclass(frozen=True, kw_only=True)
class ShowOptions(ClientOptions):
    """The options of `universe show`."""

    name: Annotated[str, typer.Argument(help="Of the index.")] = "SP500"
    as_of: Annotated[date | None, day("The newest list on or before this day.")] = None


@taking(ShowOptions)
def show(options: ShowOptions) -> None:
    """Show what an index was made of on a day."""
    from services.ops.client.universes import load_constituents, print_constituents

    with options.connected() as client:
        options.show(load_constituents(client, options.name, options.as_of), print_constituents)
