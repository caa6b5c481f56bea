"""Commands about what shares are called: `identifiers`."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class ListOptions(ClientOptions):
    """The options of `identifiers list`."""

    symbol: Annotated[str | None, typer.Argument(help="Only of this share, under any of its names.")] = None


@taking(ListOptions)
def list_identifiers(options: ListOptions) -> None:
    """List what shares are called, by whom and when.

    Renames that vendors tell or people said, and spellings of vendors.
    """
    from services.ops.client.identifiers import load_identifiers, print_identifiers

    with options.connected() as client:
        options.show(load_identifiers(client, options.symbol), print_identifiers)


@dataclass(frozen=True, kw_only=True)
class NamingOptions(ClientOptions):
    """The options of every command that says what a share is called."""

    why: Annotated[str, typer.Option(help="Kept with who says it.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which symbols it concerns.")] = False


@dataclass(frozen=True, kw_only=True)
class RenameOptions(NamingOptions):
    """The options of `identifiers rename`."""

    old: Annotated[str, typer.Argument(help="What it was called, such as FB.")]
    new: Annotated[str, typer.Argument(help="What it is called, such as META.")]
    on: Annotated[date, day("The first day of the new name.")]


@taking(RenameOptions)
def rename(options: RenameOptions) -> None:
    """Say that a share has another symbol from a day on.

    Held under either, it has one history: vendors are asked under the name that they know.
    """
    from services.ops.client import identifiers

    identifiers.rename(options)


@dataclass(frozen=True, kw_only=True)
class SpellOptions(NamingOptions):
    """The options of `identifiers spell`."""

    symbol: Annotated[str, typer.Argument(help="As it is held, such as MKC.V.")]
    name: Annotated[str, typer.Argument(help="As the vendor is asked for it.")]
    vendor: Annotated[str, typer.Option(help="Who spells it so, such as yahoo.")]


@taking(SpellOptions)
def spell(options: SpellOptions) -> None:
    """Say how a vendor spells a symbol, where its rule does not.

    It is asked for exactly so from the next run on.
    """
    from services.ops.client import identifiers

    identifiers.spell(options)


@dataclass(frozen=True, kw_only=True)
class PrivateOptions(NamingOptions):
    """The options of `identifiers private`."""

    symbol: Annotated[str, typer.Argument(help="As it is held.")]


@taking(PrivateOptions)
def private(options: PrivateOptions) -> None:
    """Say that a symbol is a private name.

    No vendor is asked for it; your own files still are.
    """
    from services.ops.client import identifiers

    identifiers.mark_private(options)


@dataclass(frozen=True, kw_only=True)
class WithdrawOptions(ClientOptions):
    """The options of `identifiers withdraw`."""

    number: Annotated[int, typer.Argument(help="As `identifiers list` has it.")]


@taking(WithdrawOptions)
def withdraw(options: WithdrawOptions) -> None:
    """Take back what a share is called.

    A vendor that tells it again is not believed.
    """
    from services.ops.client.identifiers import print_identifiers, withdraw

    with options.connected() as client:
        options.show([withdraw(client, options.number)], print_identifiers)
