"""The commands `why`, `vendors` and `ask-again`."""

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


@dataclass(frozen=True, kw_only=True)
class AskAgainOptions(ClientOptions):
    """The options of `ask-again`."""

    symbol: Annotated[str | None, typer.Argument(help="None: every symbol of a vendor.")] = None
    vendor: Annotated[str | None, typer.Option(help="Only of this one, such as tiingo.")] = None


@taking(AskAgainOptions)
def ask_again(options: AskAgainOptions) -> None:
    """Let vendors be asked again for what they did not have.

    Whatever they said of a symbol, or one of them of all: that it is unknown, delisted or not in the plan. The next run
    asks.
    """
    from services.ops.client.vendors import forget_absences, print_forgotten
    from services.ops.errors import Misused
    from shared.symbols import one_spelling

    if options.symbol is None and options.vendor is None:
        raise Misused("a symbol or --vendor must be given, neither was")
    symbol = None if options.symbol is None else one_spelling(options.symbol)
    with options.connected() as client:
        options.show(forget_absences(client, symbol, options.vendor), print_forgotten)
