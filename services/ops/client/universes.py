"""What indices are made of, on the terminal."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from services.ops.client.answers.vendors import Constituent, Universe
from services.ops.client.benchmark_file import read_weights
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.rendering import console, table
from services.ops.client.routes import CONSTITUENTS, LOAD_UNIVERSE
from shared.symbols import one_spelling

if TYPE_CHECKING:
    from services.ops.client.commands.universes import LoadOptions


def load_universe(options: "LoadOptions") -> Universe:
    """Send the constituents of a file, whole or not at all."""
    weights = read_weights(options.file, "symbol", one_spelling)
    constituents = [{"symbol": symbol, "weight": weight} for symbol, weight in weights.items()]
    with options.connected() as client:
        body = {"as_of": str(options.as_of), "constituents": constituents, "dry_run": options.dry_run}
        return client.send(LOAD_UNIVERSE.at(name=options.name), body)


def load_constituents(client: ApiClient, name: str, as_of: date | None) -> list[Constituent]:
    """Return what an index is made of on a day."""
    return load_list(client, CONSTITUENTS.at(name=name), **({} if as_of is None else {"as_of": str(as_of)}))


def print_universe(loaded: Universe) -> None:
    """Say what was loaded."""
    kept = "loaded; its symbols are watched from now on" if loaded["stored"] else "a dry run: nothing is kept"
    console().print(f"{loaded['universe']} from {loaded['as_of']}: {loaded['symbols']:,} symbols, {kept}")


def print_constituents(found: Sequence[Constituent]) -> None:
    """Show a line a symbol, the largest first."""
    rows = [(each["symbol"], f"{each['weight']:.2%}") for each in sorted(found, key=lambda each: -each["weight"])]
    title = f"as of {found[0]['as_of']}" if found else ""
    console().print(table(title, ("symbol", "weight"), rows) if rows else "nothing is loaded of it up to then")
