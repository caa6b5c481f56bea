"""Commands that show results: `show symbol` and `show portfolio`."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


class Section(StrEnum):
    """A part of what is shown of a portfolio."""

    OVERVIEW = "overview"
    PERFORMANCE = "performance"
    POSITIONS = "positions"
    RISK = "risk"
    STRESS = "stress"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class ShowPortfolioOptions(ClientOptions):
    """The options of `show portfolio`."""

    portfolio: Annotated[str, typer.Argument(help="Its id or its name.")]
    as_of: Annotated[date | None, day("The newest valued session on or before this day.")] = None
    section: Annotated[list[Section] | None, typer.Option(help="What to show; can be repeated.")] = None


@taking(ShowPortfolioOptions)
def show_portfolio(options: ShowPortfolioOptions) -> None:
    """Show a portfolio on one screen: value, returns, risk, coverage.

    --section shows the rest. Each number is a value or the reason why there is none.
    """
    from services.ops.client.portfolio_overview import load_overview
    from services.ops.client.portfolio_tables import print_portfolio

    with options.connected() as client:
        found = load_overview(client, options.portfolio, options.as_of)
    options.show(found, lambda shown: print_portfolio(shown, set(options.section or (Section.OVERVIEW,))))


@dataclass(frozen=True, kw_only=True)
class ShowSymbolOptions(ClientOptions):
    """The options of `show symbol`."""

    symbol: Annotated[str, typer.Argument(help="For example AAPL.")]
    as_of: Annotated[date | None, day("The newest session on or before this day.")] = None


@taking(ShowSymbolOptions)
def show_symbol(options: ShowSymbolOptions) -> None:
    """Show a symbol's factor betas and metrics.

    Each is a value or the reason why there is none.
    """
    from services.ops.client.symbol_report import load_symbol, print_symbol
    from shared.symbols import one_spelling

    with options.connected() as client:
        found, prices = load_symbol(client, one_spelling(options.symbol), options.as_of)
    options.show(found, lambda shown: print_symbol(shown, prices))
