"""Commands that show results: `show symbol` and `show portfolio`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer
from rich.console import RenderableType

from services.ops.client.answers.symbols import Metric, Symbol
from services.ops.client.charts import bar, largest_of, line_chart
from services.ops.client.client import connected
from services.ops.client.portfolio_report import load_portfolio
from services.ops.client.portfolio_tables import print_portfolio
from services.ops.client.rendering import console, measure_row, number, table
from services.ops.client.routes import PRICES, SYMBOL
from services.ops.data_directory import DataDirectory
from services.ops.options import ClientOptions, day, taking

_MAX_BARS = 10_000
# Where the factor set calls it otherwise.
_PROXY_OF = {"market_beta": "market", "rate_beta": "rate"}


@dataclass(frozen=True, kw_only=True)
class ShowPortfolioOptions(ClientOptions):
    """The options of `show portfolio`."""

    portfolio: Annotated[str, typer.Argument(help="Its id or its name.")]
    as_of: Annotated[date | None, day("The newest valued session on or before this day.")] = None


@taking(ShowPortfolioOptions)
def show_portfolio(options: ShowPortfolioOptions) -> None:
    """Show a portfolio's value, its positions and its risk, each number a value or the reason why there is none."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        found = load_portfolio(client, options.portfolio, options.as_of)
    if options.json:
        typer.echo(json.dumps(found, indent=2))
    else:
        print_portfolio(found)


@dataclass(frozen=True, kw_only=True)
class ShowSymbolOptions(ClientOptions):
    """The options of `show symbol`."""

    symbol: Annotated[str, typer.Argument(help="For example AAPL.")]
    as_of: Annotated[date | None, day("The newest session on or before this day.")] = None


@taking(ShowSymbolOptions)
def show_symbol(options: ShowSymbolOptions) -> None:
    """Show a symbol's factor betas and metrics, each a value or the reason why there is none."""
    with connected(DataDirectory(options.data_dir), options.url) as client:
        found = client.get(SYMBOL.at(symbol=options.symbol.upper()), as_of=options.as_of)
        prices = client.get(PRICES.at(symbol=options.symbol.upper()), last=found["as_of"], limit=_MAX_BARS)["bars"]
    if options.json:
        typer.echo(json.dumps(found, indent=2))
        return
    out = console()
    chart = line_chart(
        "total-return adjusted close", [bar["session"] for bar in prices], [bar["adjusted"] for bar in prices]
    )
    if chart is not None:
        out.print(chart)
    out.print(_factor_table(found))
    if found["metrics"]:
        out.print(_metric_table(found["metrics"]["metrics"]))


def _factor_table(found: Symbol) -> RenderableType:
    proxies = found["factors"]["factor_set"]
    largest = largest_of([factor["beta"]["value"] for factor in found["factors"]["factors"]])
    rows = [
        (
            *measure_row(factor["factor"], factor["beta"]),
            proxies.get(_PROXY_OF.get(factor["factor"], factor["factor"])) or "",
            number(factor["r_squared"], digits=3),
            factor["n_observations"],
            "capped" if factor["capped"] else "",
            bar(factor["beta"]["value"], largest=largest),
        )
        for factor in found["factors"]["factors"]
    ]
    title = f"{found['symbol']} as of {found['as_of']}"
    return table(title, ("factor", "beta", "reason", "detail", "proxy", "r2", "sessions", "note", ""), rows)


def _metric_table(metrics: Mapping[str, Metric]) -> RenderableType:
    rows = []
    for name, measure in metrics.items():
        since = measure["period_end"] or measure["first_session"]
        rows.append((*measure_row(name, measure, digits=6), measure["basis"] or "", since or ""))
    return table("metrics", ("metric", "value", "reason", "detail", "basis", "of / since"), rows)
