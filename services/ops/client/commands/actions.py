"""Commands about what companies did to their shares: `actions`."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class ListOptions(ClientOptions):
    """The options of `actions list`."""

    symbol: Annotated[str, typer.Argument(help="Whose.")]


@taking(ListOptions)
def list_actions(options: ListOptions) -> None:
    """List dividends, splits, spin-offs and mergers of a company.

    With ex-day, day of payment and who says so.
    """
    from services.ops.client.actions import load_actions, print_actions

    with options.connected() as client:
        options.show(load_actions(client, options.symbol), print_actions)


@dataclass(frozen=True, kw_only=True)
class AddOptions(ClientOptions):
    """The options of `actions add`."""

    symbol: Annotated[str, typer.Argument(help="Whose.")]
    kind: Annotated[Literal["spin-off", "merger"], typer.Argument(help="What happened.")]
    on: Annotated[date, day("The first day on which the share is without it.")]
    into: Annotated[str | None, typer.Option(help="Whose shares there are beside it, or in its place.")] = None
    ratio: Annotated[float | None, typer.Option(help="So many of them for one share.")] = None
    why: Annotated[str, typer.Option(help="Kept with it.")]


@taking(AddOptions)
def add(options: AddOptions) -> None:
    """Enter a spin-off or a merger.

    Runs over its day make a finding of it; no book is changed.
    """
    from services.ops.client.actions import enter_action, print_actions

    with options.connected() as client:
        options.show([enter_action(client, options)], print_actions)
