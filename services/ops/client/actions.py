"""What companies did to their shares, on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.ops.client.answers.vendors import Action
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.rendering import console, table
from services.ops.client.routes import ACTIONS, ENTER_ACTION
from shared.symbols import one_spelling

if TYPE_CHECKING:
    from services.ops.client.commands.actions import AddOptions


def load_actions(client: ApiClient, symbol: str) -> list[Action]:
    """Return what a company did, the oldest first."""
    return load_list(client, ACTIONS.at(symbol=one_spelling(symbol)))


def enter_action(client: ApiClient, options: "AddOptions") -> Action:
    """Enter a spin-off or a merger."""
    body = {"symbol": options.symbol, "kind": options.kind.replace("-", "_"), "ex_day": str(options.on)}
    return client.send(ENTER_ACTION, {**body, "other": options.into, "value": options.ratio, "why": options.why})


def print_actions(found: Sequence[Action]) -> None:
    """Show a line each."""
    columns = ("symbol", "what", "ex", "paid", "value", "other", "source", "why")
    rows = [
        (
            each["symbol"],
            each["kind"],
            each["ex_day"],
            each["pay_day"] or "",
            "" if each["value"] is None else f"{each['value']:g}",
            each["other"] or "",
            each["source"],
            each["why"] or "",
        )
        for each in found
    ]
    console().print(table("corporate actions", columns, rows) if rows else "nothing is known to have happened")
