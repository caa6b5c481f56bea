"""Reading what a book consists of, and changing it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from services.ops.client.answers.books import Edit, Exit, Flow, Position
from services.ops.client.answers.portfolios import Accepted, Portfolio, Understood
from services.ops.client.client import ApiClient
from services.ops.client.commands.books import ChangeOptions
from services.ops.client.importing import print_tried, with_sources
from services.ops.client.lookup import find_portfolio
from services.ops.client.paging import load_list
from services.ops.client.rendering import console, money, table
from services.ops.client.routes import FLOWS, POSITIONS, Route
from services.ops.client.runs import end_with_runs, follow_import
from services.ops.errors import Misused
from services.ops.likeness import meant
from services.ops.terminal import say

Body = Mapping[str, object]


class EnteredBook(TypedDict):
    """A portfolio with what was entered into it."""

    portfolio: Portfolio
    positions: list[Position]
    flows: list[Flow]


def load_book(client: ApiClient, wanted: str) -> EnteredBook:
    """Return a portfolio by name or id, with what was entered into it.

    Raises
    ------
    Misused, Refused
        If there is none.
    """
    portfolio = find_portfolio(client, wanted)
    at = {"portfolio_id": portfolio["portfolio_id"]}
    return {
        "portfolio": portfolio,
        "positions": load_list(client, POSITIONS.at(**at)),
        "flows": load_list(client, FLOWS.at(**at)),
    }


def change_book(options: ChangeOptions, route: Route[Accepted], body: Body) -> None:
    """Send a change of a book and show how the run ended that values it again."""
    with options.connected() as client:
        portfolio = find_portfolio(client, options.portfolio)
        _send(client, options, route.at(portfolio_id=portfolio["portfolio_id"]), body)


def try_change(options: ChangeOptions, route: Route[Understood], body: Body) -> None:
    """Say what a book would be understood to be after a change."""
    with options.connected() as client:
        portfolio = find_portfolio(client, options.portfolio)
        understood = client.send(route.at(portfolio_id=portfolio["portfolio_id"]), body, as_of=options.as_of)
        options.show(with_sources(client, understood, options.as_of), print_tried)


def change_position(
    options: ChangeOptions, wanted: str, route: Route[Accepted], body: Callable[[Position], Body | None]
) -> None:
    """Send a change of one position, by id or symbol, and show how the run ended that values the book again.

    Raises
    ------
    Misused
        If the book has no such position, or several of the symbol.
    """
    with options.connected() as client:
        book = load_book(client, options.portfolio)
        found = [entry for entry in book["positions"] if wanted in {entry["position_id"], entry["symbol"]}]
        alike = meant([wanted], [entry["symbol"] for entry in book["positions"]])
        position_id = _the_only([entry["position_id"] for entry in found], f"position {wanted!r}", alike)
        at = {"portfolio_id": book["portfolio"]["portfolio_id"], "position_id": position_id}
        _send(client, options, route.at(**at), body(found[0]))


def change_flow(
    options: ChangeOptions, wanted: str, route: Route[Accepted], body: Callable[[Flow], Body | None]
) -> None:
    """Send a change of one flow, by id or date, and show how the run ended that values the book again.

    Raises
    ------
    Misused
        If the book has no such flow, or several of the date.
    """
    with options.connected() as client:
        book = load_book(client, options.portfolio)
        found = [entry for entry in book["flows"] if wanted in {entry["flow_id"], entry["on"]}]
        flow_id = _the_only([entry["flow_id"] for entry in found], f"flow {wanted!r}")
        at = {"portfolio_id": book["portfolio"]["portfolio_id"], "flow_id": flow_id}
        _send(client, options, route.at(**at), body(found[0]))


def _send(client: ApiClient, options: ChangeOptions, route: Route[Accepted], body: Body | None) -> None:
    changed = client.send(route, body, as_of=options.as_of)
    if not changed["is_new"]:
        say("it had been entered before, and was not again", err=True)
    end_with_change(client, changed, wait=options.wait, as_json=options.json)


def end_with_change(client: ApiClient, changed: Accepted, *, wait: bool, as_json: bool) -> None:
    """Show the run that a change has asked for, when it has ended; without waiting, only which it is."""
    if wait:
        end_with_runs([follow_import(client, changed)], as_json=as_json)
    elif as_json:
        say(json.dumps(changed, indent=2))
    else:
        done = "stored" if changed["is_new"] else "stored before"
        say(f"{done}; run {changed['run_id']} values portfolio {changed['portfolio_id']}")


def print_book(book: EnteredBook) -> None:
    """Show a portfolio with what was entered into it."""
    portfolio = book["portfolio"]
    opened = f"opened {portfolio['opened_on']} with {money(portfolio['opening_equity'])}"
    opened += f", closed {portfolio['closed_on']}" if portfolio["closed_on"] else ""
    opened += f", of {portfolio['owner']}" if portfolio["owner"] else ""
    console().print(f"{portfolio['name']}, {opened}, id {portfolio['portfolio_id']}")
    print_positions(book["positions"])
    print_flows(book["flows"])


def print_positions(found: Sequence[Position]) -> None:
    """Show positions with their exits."""
    rows = [
        (
            entry["symbol"],
            entry["kind"],
            entry["quantity"],
            entry["entry_price"],
            entry["entry_date"],
            _exits(entry),
            entry["position_id"],
        )
        for entry in found
    ]
    console().print(table("positions", ("symbol", "kind", "quantity", "price", "entered on", "exits", "id"), rows))


def print_flows(found: Sequence[Flow]) -> None:
    """Show flows by date."""
    rows = [(entry["on"], money(entry["amount"]), entry["reference"] or "", entry["flow_id"]) for entry in found]
    console().print(table("flows", ("on", "amount", "reference", "id"), rows))


def print_edits(found: Sequence[Edit]) -> None:
    """Show corrections: only what differs between before and after."""
    rows = [
        (entry["edited_at"], entry["edited_by"] or "", entry["kind"], entry["subject_id"], _difference(entry))
        for entry in found
    ]
    console().print(table("corrections", ("at", "by", "of", "id", "from what to what"), rows))


def terms_of(stored: Position | Flow) -> dict[str, object]:
    """Return a position or a flow as it is sent to be corrected: without its id."""
    return {name: value for name, value in stored.items() if name not in {"position_id", "flow_id"}}


def _difference(edit: Edit) -> str:
    before, after = edit["before"] or {}, edit["after"]
    if after is None:
        return "taken away: " + ", ".join(f"{name} {_said(value)}" for name, value in before.items() if value)
    changed = [name for name in after if before.get(name) != after[name]]
    return "; ".join(f"{name} {_said(before.get(name))} -> {_said(after[name])}" for name in changed)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_exit, value)) or "none"
    if isinstance(value, Mapping):
        return " ".join(map(str, value.values()))
    return "none" if value is None else str(value)


def _exits(position: Position) -> str:
    return ", ".join(map(_exit, position["exits"]))


def _exit(closing: Exit) -> str:
    return f"{closing['quantity'] or 'rest'} at {closing['price']} on {closing['on']}"


def _the_only(ids: Sequence[str], what: str, alike: str = "") -> str:
    if not ids:
        raise Misused(f"the portfolio has no {what}{alike}")
    if len(ids) > 1:
        raise Misused(f"the portfolio has {len(ids)} of {what}, name one by id: {', '.join(ids)}")
    return ids[0]
