"""The commands `why` and `vendors`."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class WhyOptions(ClientOptions):
    """The options of `why`."""

    symbol: Annotated[str, typer.Argument(help="For example AAPL.")]
    as_of: Annotated[date | None, day("The newest session on or before this day.")] = None


@taking(WhyOptions)
def why(options: WhyOptions) -> None:
    """Say where a symbol's data come from, or why there are none.

    Its newest bar, who was asked before that one answered and what each said, and what was set aside.
    """
    from services.ops.client.vendors import load_why, print_why
    from shared.symbols import one_spelling

    with options.connected() as client:
        options.show(load_why(client, one_spelling(options.symbol), options.as_of), print_why)


@dataclass(frozen=True, kw_only=True)
class VendorsOptions(ClientOptions):
    """The options of `vendors`."""


@taking(VendorsOptions)
def vendors(options: VendorsOptions) -> None:
    """List the vendors: what was asked of them, and who is paused."""
    from services.ops.client.vendors import load_vendors, print_vendors

    with options.connected() as client:
        options.show(load_vendors(client), print_vendors)
