"""A symbol as of a session: its prices, its betas and its metrics."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from rich.console import RenderableType

from services.ops.client.answers.symbols import Bar, Metric, Symbol
from services.ops.client.charts import bar, largest_of, line_chart
from services.ops.client.client import ApiClient, find
from services.ops.client.paging import PAGE, load_list
from services.ops.client.rendering import console, measure_row, number, table
from services.ops.client.routes import PRICES, SYMBOL, SYMBOLS
from services.ops.errors import Misused
from services.ops.likeness import meant

_MAX_BARS: Final = 10_000
# Where the factor set calls it otherwise.
_PROXY_OF: Final = {"market_beta": "market", "rate_beta": "rate"}


def load_symbol(client: ApiClient, symbol: str, as_of: date | None) -> tuple[Symbol, list[Bar]]:
    """Return the newest numbers of a symbol on or before `as_of`, and its prices until then.

    Raises
    ------
    Misused, Refused
        If there are none; it names the symbols that are alike.
    """
    found = find(client, SYMBOL.at(symbol=symbol), as_of=as_of)
    if found is None:
        known = [entry["symbol"] for entry in load_list(client, SYMBOLS, limit=PAGE)]
        until = f" on or before {as_of}" if as_of else ""
        raise Misused(f"nothing is known of {symbol}{until}{meant([symbol], known) if symbol not in known else ''}")
    return found, client.get(PRICES.at(symbol=symbol), last=found["as_of"], limit=_MAX_BARS)["items"]


def print_symbol(found: Symbol, prices: Sequence[Bar]) -> None:
    """Show it on the terminal."""
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
