"""What changed since the session before: the value of a portfolio, its market beta and its value at risk."""

from collections.abc import Iterator
from datetime import date
from typing import TypedDict

from rich.console import RenderableType

from services.ops.client.answers.portfolios import ValueChanges
from services.ops.client.answers.risk import NumberChange, RiskChanges
from services.ops.client.client import ApiClient, find
from services.ops.client.rendering import console, measure_row, money, table
from services.ops.client.routes import RISK_CHANGES, VALUE_CHANGES

_SHOWN = 10


class Changes(TypedDict):
    """What changed; `risk` is None where there are no two assessments."""

    value: ValueChanges
    risk: RiskChanges | None


def load_changes(
    client: ApiClient, portfolio_id: str, *, as_of: date | None, since: date | None, revision: int | None
) -> Changes:
    """Return what changed since the session before, another one, or an earlier revision of it.

    Raises
    ------
    Refused
        If the portfolio was not valued on either of them.
    """
    compared = {"as_of": as_of, "since": since, "revision": revision}
    return {
        "value": client.get(VALUE_CHANGES.at(portfolio_id=portfolio_id), **compared),
        "risk": find(client, RISK_CHANGES.at(portfolio_id=portfolio_id), **compared),
    }


def print_changes(found: Changes) -> None:
    """Show it on the terminal."""
    out = console()
    for drawn in change_tables(found):
        out.print(drawn)


def change_tables(found: Changes) -> Iterator[RenderableType]:
    """Yield what changed for a terminal."""
    value = found["value"]
    before, after = value["before"], value["after"]
    since = f"since {before['as_of']}" if before["as_of"] != after["as_of"] else f"since revision {before['revision']}"
    rows = [(entry["part"], money(entry["amount"])) for entry in value["parts"]]
    ends = [("before", money(before["equity"])), *rows, ("after", money(after["equity"]))]
    yield table(f"value as of {after['as_of']} {since}: {money(value['total'])}", ("", "amount"), ends)
    names = ("positions", "dividends", "prices", "total")
    moved = [entry for entry in value["by_position"] if float(entry["total"])][:_SHOWN]
    if moved:
        lines = [
            (entry["symbol"], *(money(entry[name]) for name in ("positions", "dividends", "prices", "total")))
            for entry in moved
        ]
        yield table("what moved most", ("symbol", *names), lines)
    for change in found["risk"]["changes"] if found["risk"] else ():
        yield _number(change, since)


def _number(change: NumberChange, since: str) -> RenderableType:
    rows = [
        measure_row("before", change["before"], digits=6),
        *(measure_row(part["part"], part["change"], digits=6) for part in change["parts"]),
        measure_row("after", change["after"], digits=6),
    ]
    return table(f"{change['measure']} {since}", ("", "value", "reason", "detail"), rows)
