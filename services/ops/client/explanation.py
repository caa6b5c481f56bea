"""How a number came about, from the service that stored it, with the provider of each price."""

from collections.abc import Iterator, Mapping
from datetime import date

from rich.console import Group, RenderableType
from rich.text import Text

from services.ops.client.answers.numbers import LastPrice, Trail
from services.ops.client.answers.portfolios import ExplainedAmount
from services.ops.client.answers.risk import ExplainedRisk, FactorInput
from services.ops.client.charts import waterfall
from services.ops.client.client import ApiClient
from services.ops.client.rendering import console, measure_row, money, number, percent, table
from services.ops.client.routes import EXPLAINED_AMOUNT, EXPLAINED_RISK
from services.ops.errors import NOT_FOUND, Refused

Explanation = ExplainedAmount | ExplainedRisk


def load_explanation(client: ApiClient, portfolio_id: str, measure: str, as_of: date | None) -> Explanation:
    """Return the explanation of an amount of a snapshot, or of a measure, factor or scenario of its risk.

    Raises
    ------
    Refused
        If there is no such number, or none until then.
    """
    try:
        return client.get(EXPLAINED_AMOUNT.at(portfolio_id=portfolio_id, measure=measure), as_of=as_of)
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        return client.get(EXPLAINED_RISK.at(portfolio_id=portfolio_id, measure=measure), as_of=as_of)


def factor_steps(found: ExplainedRisk) -> list[tuple[FactorInput, float]]:
    """Return the factors that add something to an explained scenario, each with what it adds."""
    return [(entry, entry["contribution"]) for entry in found["factors"] if entry["contribution"] is not None]


def print_explanation(found: Explanation) -> None:
    """Show it on the terminal."""
    out = console()
    for drawn in explanation_tables(found):
        out.print(drawn)


def explanation_tables(found: Explanation) -> Iterator[RenderableType]:
    """Yield the explanation for a terminal."""
    trail = _trail(found)
    numbers = {"stored": found["stored"], "recomputed": found["recomputed"]}
    rows = [measure_row(name, measure, digits=9) for name, measure in numbers.items()]
    told = (
        f"revision {trail['revision']}, known at {trail['known_at']}, digest {trail['digest']}, "
        f"code version {trail['code_version']}; the inputs are "
        f"{'unchanged' if found['inputs_unchanged'] else 'no longer those it was made from'}, "
        f"the numbers {'agree' if found['agrees'] else 'differ'}"
    )
    title = f"{found['measure']} as of {trail['as_of']}"
    yield Group(table(title, ("", "value", "reason", "detail"), rows), Text(told, style="dim"))
    prices = {entry["symbol"]: entry for entry in found["prices"]}
    if "snapshot" in found:
        yield _positions(found, prices)
        return
    yield _holdings(found, prices)
    if found["factors"]:
        yield _factors(found)
    if found["series"]:
        yield _series(found)


def _trail(found: Explanation) -> Trail:
    if "snapshot" in found:
        return found["snapshot"]
    return found


def _positions(found: ExplainedAmount, prices: Mapping[str, LastPrice]) -> RenderableType:
    rows = [
        (
            entry["value"]["symbol"],
            number(entry["value"]["quantity"], digits=2),
            number(entry["value"]["mark"]),
            f"{entry['value']['mark_source'].lower()}, {entry['value']['mark_age']} old",
            entry["value"]["value_reason"] or money(entry["value"]["market_value"]),
            money(entry["value"]["pnl"]),
            money(entry["contribution"]),
            *_price(prices[entry["value"]["symbol"]]),
        )
        for entry in found["positions"]
    ]
    columns = ("symbol", "quantity", "mark", "from", "value", "pnl", "contribution", "close", "of", "provider")
    title = f"positions, on equity of {money(found['opening_equity'])} at the close before"
    return table(title, columns, rows)


def _holdings(found: ExplainedRisk, prices: Mapping[str, LastPrice]) -> RenderableType:
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


def _factors(found: ExplainedRisk) -> RenderableType:
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


def _series(found: ExplainedRisk) -> RenderableType:
    worst = sorted(found["series"], key=lambda entry: entry["value"])[:5]
    rows = [(entry["session"], number(entry["value"], digits=6)) for entry in worst]
    return table(f"the worst of {len(found['series'])} returns of today's book", ("session", "return"), rows)


def _price(price: LastPrice) -> tuple[str, str, str]:
    return number(price["close"]), price["session"] or "", price["source"] or ""
