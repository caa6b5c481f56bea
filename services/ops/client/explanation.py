"""How a number came about, from the service that stored it, with the provider of each price."""

from datetime import date
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from services.ops.client.charts import waterfall
from services.ops.client.client import ApiClient
from services.ops.client.rendering import measure_row, money, number, percent, table
from services.ops.errors import NOT_FOUND, Refused

Explanation = dict[str, Any]


def load_explanation(client: ApiClient, portfolio_id: str, measure: str, as_of: date | None) -> Explanation:
    """Return the explanation of an amount of a snapshot, or of a measure, factor or scenario of its risk.

    Raises
    ------
    Refused
        If there is no such number, or none until then.
    """
    try:
        found: Explanation = client.get(f"/portfolios/{portfolio_id}/explain/{measure}", as_of=as_of)
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        found = client.get(f"/risk/portfolios/{portfolio_id}/explain/{measure}", as_of=as_of)
    return found


def explanation_tables(found: Explanation) -> list[RenderableType]:
    """Return the explanation for a terminal."""
    trail = found.get("snapshot", found)
    prices = {entry["symbol"]: entry for entry in found["prices"]}
    rows = [measure_row(name, found[name], digits=9) for name in ("stored", "recomputed")]
    told = (
        f"revision {trail['revision']}, known at {trail['known_at']}, digest {trail['digest']}, "
        f"code version {trail['code_version']}; the inputs are "
        f"{'unchanged' if found['inputs_unchanged'] else 'no longer those it was made from'}, "
        f"the numbers {'agree' if found['agrees'] else 'differ'}"
    )
    title = f"{found['measure']} as of {trail['as_of']}"
    drawn: list[RenderableType] = [
        Group(table(title, ("", "value", "reason", "detail"), rows), Text(told, style="dim"))
    ]
    drawn.append(_positions(found, prices) if "positions" in found else _holdings(found, prices))
    if found.get("factors"):
        drawn.append(_factors(found))
    if found.get("series"):
        drawn.append(_series(found))
    return drawn


def _positions(found: Explanation, prices: dict[str, Any]) -> RenderableType:
    rows = [
        (
            entry["value"]["symbol"],
            number(entry["value"]["quantity"], digits=2),
            number(entry["value"]["mark"]),
            f"{entry['value']['mark_source'].lower()}, {entry['value']['mark_age']} old",
            money(entry["value"]["market_value"]),
            money(entry["value"]["pnl"]),
            money(entry["contribution"]),
            *_price(prices[entry["value"]["symbol"]]),
        )
        for entry in found["positions"]
    ]
    columns = ("symbol", "quantity", "mark", "from", "value", "pnl", "contribution", "close", "of", "provider")
    title = f"positions, on equity of {money(found['opening_equity'])} at the close before"
    return table(title, columns, rows)


def _holdings(found: Explanation, prices: dict[str, Any]) -> RenderableType:
    beta = found["measure"] if any(found["measure"] in entry["betas"] for entry in found["holdings"]) else None
    rows = [
        (
            entry["symbol"],
            money(entry["exposure"]),
            number(entry["weight"]),
            *(measure_row("", entry["betas"][beta])[1:3] if beta else ("", "")),
            number(entry["contribution"], digits=6),
            entry["returns"],
            entry["sector"],
            *_price(prices[entry["symbol"]]),
        )
        for entry in found["holdings"]
    ]
    columns = ("holding", "exposure", "weight", "beta", "reason", "contribution", "returns", "sector")
    title = f"holdings, equity {money(found['equity'])}, coverage {percent(found['coverage'])}"
    return table(title, (*columns, "close", "of", "provider"), rows)


def _factors(found: Explanation) -> RenderableType:
    rows = [
        (
            entry["factor"],
            *measure_row("", entry["dollars"], digits=2)[1:],
            *(number(entry[name]) for name in ("shock", "move", "counted")),
            money(entry["contribution"]),
            step,
        )
        for entry, step in zip(
            found["factors"], waterfall([entry["contribution"] for entry in found["factors"]]), strict=True
        )
    ]
    columns = ("factor", "exposure", "reason", "detail", "shock", "move", "counted", "contribution", "")
    return table("factors", columns, rows)


def _series(found: Explanation) -> RenderableType:
    values = [entry["value"] for entry in found["series"]]
    worst = sorted(found["series"], key=lambda entry: float(entry["value"]))[:5]
    rows = [(entry["session"], number(entry["value"], digits=6)) for entry in worst]
    return table(f"the worst of {len(values)} returns of today's book", ("session", "return"), rows)


def _price(price: dict[str, Any]) -> tuple[str, str, str]:
    return number(price["close"]), price["session"] or "", price["source"] or ""
