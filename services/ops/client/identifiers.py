"""What shares are called, on the terminal."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.ops.client.answers.vendors import Identifier, Named
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.rendering import console, table
from services.ops.client.routes import IDENTIFIERS, NAME_SHARE, WITHDRAW_NAME
from shared.symbols import one_spelling

if TYPE_CHECKING:
    from services.ops.client.commands.identifiers import NamingOptions, PrivateOptions, RenameOptions, SpellOptions


def load_identifiers(client: ApiClient, symbol: str | None) -> list[Identifier]:
    """Return what shares are called, of one under any of its names where one is given."""
    return load_list(client, IDENTIFIERS, **({} if symbol is None else {"symbol": one_spelling(symbol)}))


def rename(options: "RenameOptions") -> None:
    """Say that a symbol became another one, and show what it concerns."""
    until = options.on - timedelta(days=1)
    _say(options, {"symbol": options.new, "name": one_spelling(options.old), "last_day": str(until)})


def spell(options: "SpellOptions") -> None:
    """Say how a vendor spells a symbol, and show what it concerns."""
    _say(options, {"symbol": options.symbol, "name": options.name, "vendor": options.vendor})


def mark_private(options: "PrivateOptions") -> None:
    """Say that no vendor is asked for a symbol, and show what it concerns."""
    symbol = one_spelling(options.symbol)
    _say(options, {"symbol": symbol, "name": symbol, "vendor": "nobody"})


def withdraw(client: ApiClient, number: int) -> Identifier:
    """Take back what a share is called."""
    return client.send(WITHDRAW_NAME.at(identifier_id=str(number)), {"requested_by": asker()})


def _say(options: "NamingOptions", said: dict[str, Any]) -> None:
    body = {**said, "why": options.why, "requested_by": asker(), "dry_run": options.dry_run}
    with options.connected() as client:
        options.show(client.send(NAME_SHARE, body), _print_named)


def _print_named(named: Named) -> None:
    symbols = ", ".join(named["symbols"]) or "no symbol that is watched"
    kept = "a dry run, nothing is kept; it concerns" if named["identifier"] is None else "the next run asks anew for"
    console().print(f"{kept} {symbols}")


def print_identifiers(found: Sequence[Identifier]) -> None:
    """Show a line each."""
    columns = ("number", "symbol", "name", "vendor", "from", "until", "said by", "why", "withdrawn by")
    rows = [
        (
            str(each["identifier_id"]),
            each["symbol"],
            each["name"],
            each["vendor"] or "",
            each["first_day"] or "",
            each["last_day"] or "",
            each["said_by"],
            each["why"],
            each["withdrawn_by"] or "",
        )
        for each in found
    ]
    console().print(table("identifiers", columns, rows) if rows else "every share has the name it is held by")
