"""Commands about what a book consists of: `positions ...` and `flows ...`, and `portfolios create|show|edits`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.client.commands.portfolios import OpeningOptions, read_positions_file
from services.ops.errors import Misused
from services.ops.options import day, taking

PortfolioArgument = Annotated[str, typer.Argument(metavar="PORTFOLIO", help="A portfolio by name or id.")]
PositionArgument = Annotated[
    str, typer.Argument(metavar="POSITION", help="A position by id, or by its symbol where there is one of it.")
]
FlowArgument = Annotated[str, typer.Argument(metavar="FLOW", help="A flow by id, or by its date.")]


class Kind(StrEnum):
    """What may be held."""

    LONG = "LONG"
    SHORT = "SHORT"
    LC = "LC"
    LP = "LP"
    SC = "SC"
    SP = "SP"
    PRIVATE = "PRIVATE"


class Basis(StrEnum):
    """In whose shares a position is that was bought before its book was opened."""

    AS_TRADED = "AS_TRADED"
    AS_OF_OPENING = "AS_OF_OPENING"


@dataclass(frozen=True, kw_only=True)
class BookOptions(ClientOptions):
    """The options of a command that reads a book."""

    portfolio: PortfolioArgument


@dataclass(frozen=True, kw_only=True)
class ChangeOptions(BookOptions):
    """The options of a command that changes a book."""

    as_of: Annotated[date | None, day("Session up to which to value it again; by default the last closed one.")] = None
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run that values it again.")] = True


@dataclass(frozen=True, kw_only=True)
class CreateOptions(OpeningOptions):
    """The options of `portfolios create`."""

    name: Annotated[str, typer.Argument(help="Of the new portfolio.")]


@taking(CreateOptions)
def create(options: CreateOptions) -> None:
    """Store a portfolio that holds nothing but cash.

    `positions add` puts something into it; `portfolios import` does both at once.
    """
    from services.ops.client.books import end_with_change
    from services.ops.client.routes import STORE_PORTFOLIO

    with options.connected() as client:
        stored = client.send(STORE_PORTFOLIO, options.named(options.name))
        end_with_change(client, stored, wait=options.wait, as_json=options.json)


@dataclass(frozen=True, kw_only=True)
class RenameOptions(ChangeOptions):
    """The options of `portfolios rename`."""

    name: Annotated[str, typer.Argument(help="What it is to be called.")]


@taking(RenameOptions)
def rename(options: RenameOptions) -> None:
    """Call a portfolio otherwise.

    Its id and its numbers stay.
    """
    from services.ops.client.books import change_book
    from services.ops.client.routes import DESCRIBE_PORTFOLIO

    change_book(options, DESCRIBE_PORTFOLIO, {"name": options.name})


@dataclass(frozen=True, kw_only=True)
class GiveOptions(ChangeOptions):
    """The options of `portfolios give`."""

    owner: Annotated[str | None, typer.Argument(help="A name, or group:NAME; none: nobody.")] = None


@taking(GiveOptions)
def give(options: GiveOptions) -> None:
    """Make a portfolio somebody's: who owns it sees it.

    Viewers and operators see all of them.
    """
    from services.ops.client.books import change_book
    from services.ops.client.routes import DESCRIBE_PORTFOLIO

    change_book(options, DESCRIBE_PORTFOLIO, {"owner": options.owner})


@dataclass(frozen=True, kw_only=True)
class CloseOptions(ChangeOptions):
    """The options of `portfolios close`."""

    on: Annotated[date | None, day("Its last session; by default that of --as-of.", "--on")] = None


@taking(CloseOptions)
def close(options: CloseOptions) -> None:
    """Value a portfolio no further, whatever it holds.

    Its history stays, and `portfolios reopen` lets it go on.
    """
    from services.ops.client.books import change_book
    from services.ops.client.routes import CLOSE_PORTFOLIO

    change_book(options, CLOSE_PORTFOLIO, {"on": options.on})


@taking(ChangeOptions)
def reopen(options: ChangeOptions) -> None:
    """Let a closed portfolio go on since the session that was its last."""
    from services.ops.client.books import change_book
    from services.ops.client.routes import REOPEN_PORTFOLIO

    change_book(options, REOPEN_PORTFOLIO, {})


@taking(BookOptions)
def show(options: BookOptions) -> None:
    """Show what was entered: the portfolio, its positions and its flows."""
    from services.ops.client.books import load_book, print_book

    with options.connected() as client:
        found = load_book(client, options.portfolio)
    options.show(found, print_book)


@taking(BookOptions)
def edits(options: BookOptions) -> None:
    """List what was corrected, the oldest first."""
    from services.ops.client.books import print_edits
    from services.ops.client.lookup import find_portfolio
    from services.ops.client.paging import load_list
    from services.ops.client.routes import EDITS

    with options.connected() as client:
        portfolio = find_portfolio(client, options.portfolio)
        found = load_list(client, EDITS.at(portfolio_id=portfolio["portfolio_id"]))
    options.show(found, print_edits)


@taking(BookOptions)
def list_positions(options: BookOptions) -> None:
    """List the positions of a portfolio as they were entered."""
    from services.ops.client.books import load_book, print_positions

    with options.connected() as client:
        found = load_book(client, options.portfolio)["positions"]
    options.show(found, print_positions)


@dataclass(frozen=True, kw_only=True)
class TermsOptions(ChangeOptions):
    """The terms of a position, as far as they are given."""

    quantity: Annotated[str | None, typer.Option(help="Signed: short is negative.")] = None
    price: Annotated[str | None, typer.Option(help="Paid for a unit, in the portfolio's currency.")] = None
    entered_on: Annotated[date | None, day("The day of the trade.")] = None
    kind: Annotated[
        Kind | None,
        typer.Option(help="LC, LP, SC, SP: calls and puts, long and short.", case_sensitive=False),
    ] = None
    underlying: Annotated[str | None, typer.Option(help="Of an option.")] = None
    strike: Annotated[str | None, typer.Option(help="Of an option.")] = None
    expires_on: Annotated[date | None, day("Of an option.")] = None
    basis: Annotated[
        Basis | None, typer.Option(help="In the shares of the entry, or of the opening.", case_sensitive=False)
    ] = None

    def over(self, stored: Mapping[str, object]) -> dict[str, object]:
        """Return a position as it is sent: what is given in the place of what is stored.

        Raises
        ------
        Misused
            If an option is described in part.
        """
        given = {
            "kind": self.kind and self.kind.value,
            "quantity": self.quantity,
            "entry_date": self.entered_on,
            "entry_price": self.price,
            "basis": self.basis and self.basis.value,
        }
        contract = {"underlying": self.underlying, "strike": self.strike, "expiration": self.expires_on}
        option = _merged(stored["option"] or {}, contract)
        if option and len(option) < len(contract):
            raise Misused("an option needs --underlying, --strike and --expires-on")
        return {**_merged(stored, given), "option": option or None}


def _merged(stored: Any, given: Mapping[str, object]) -> dict[str, object]:
    return {**stored, **{name: value for name, value in given.items() if value is not None}}


@dataclass(frozen=True, kw_only=True)
class AddPositionOptions(TermsOptions):
    """The options of `positions add`."""

    symbol: Annotated[str, typer.Argument(help="What is held.")]
    # Of a field that it redefines, a dataclass keeps the default unless it is given another, or none.
    quantity: Annotated[str, typer.Option(help="Signed: short is negative.")] = field()
    price: Annotated[str, typer.Option(help="Paid for a unit, in the portfolio's currency.")] = field()
    entered_on: Annotated[date, day("The day of the trade.")] = field()


@taking(AddPositionOptions)
def add_position(options: AddPositionOptions) -> None:
    """Add a position, LONG by default, and value the book again."""
    from services.ops.client.books import change_book
    from services.ops.client.routes import ADD_POSITIONS

    position = options.over({"symbol": options.symbol, "kind": Kind.LONG.value, "option": None})
    change_book(options, ADD_POSITIONS, {"positions": [position]})


@dataclass(frozen=True, kw_only=True)
class LoadPositionsOptions(ChangeOptions):
    """The options of `positions load`."""

    file: Annotated[Path, typer.Argument(help="A CSV file of positions.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the book would be, store nothing.")] = False


@taking(LoadPositionsOptions)
def load_positions(options: LoadPositionsOptions) -> None:
    """Add the positions of a CSV file: all, or none if one is wrong."""
    from services.ops.client.books import change_book, try_change
    from services.ops.client.routes import ADD_POSITIONS, TRY_POSITIONS

    body = {"csv": read_positions_file(options.file)}
    if options.dry_run:
        try_change(options, TRY_POSITIONS, body)
    else:
        change_book(options, ADD_POSITIONS, body)


@dataclass(frozen=True, kw_only=True)
class CorrectPositionOptions(TermsOptions):
    """The options of `positions correct`."""

    position: PositionArgument


@taking(CorrectPositionOptions)
def correct_position(options: CorrectPositionOptions) -> None:
    """Correct what is given of a position; the rest and its exits stay.

    What it was before is kept in `portfolios edits`.
    """
    from services.ops.client.books import change_position, terms_of
    from services.ops.client.routes import CORRECT_POSITION

    change_position(options, options.position, CORRECT_POSITION, lambda stored: options.over(terms_of(stored)))


@dataclass(frozen=True, kw_only=True)
class ExitOptions(ChangeOptions):
    """The options of `positions exit`."""

    position: PositionArgument
    on: Annotated[date, day("The day of the trade.", "--on")]
    price: Annotated[str, typer.Option(help="Got for a unit, in the portfolio's currency.")]
    quantity: Annotated[str | None, typer.Option(help="Of units closed; by default what is left.")] = None


@taking(ExitOptions)
def exit_position(options: ExitOptions) -> None:
    """Close part of a position, or all that is left of it."""
    from services.ops.client.books import change_position
    from services.ops.client.routes import EXIT_POSITION

    body = {"on": options.on, "price": options.price, "quantity": options.quantity}
    change_position(options, options.position, EXIT_POSITION, lambda _: body)


@dataclass(frozen=True, kw_only=True)
class PositionOptions(ChangeOptions):
    """The options of `positions remove`."""

    position: PositionArgument


@taking(PositionOptions)
def remove_position(options: PositionOptions) -> None:
    """Take a position away as if it had never been."""
    from services.ops.client.books import change_position
    from services.ops.client.routes import REMOVE_POSITION

    change_position(options, options.position, REMOVE_POSITION, lambda _: None)


@taking(BookOptions)
def list_flows(options: BookOptions) -> None:
    """List what was paid in and taken out, by date."""
    from services.ops.client.books import load_book, print_flows

    with options.connected() as client:
        found = load_book(client, options.portfolio)["flows"]
    options.show(found, print_flows)


@dataclass(frozen=True, kw_only=True)
class AddFlowOptions(ChangeOptions):
    """The options of `flows add`."""

    on: Annotated[date, day("The day of the payment.", "--on")]
    amount: Annotated[str, typer.Option(help="Paid in is positive, taken out negative.")]
    reference: Annotated[str | None, typer.Option(help="Tells two equal payments of a day apart.")] = None


@taking(AddFlowOptions)
def add_flow(options: AddFlowOptions) -> None:
    """Enter money paid in or taken out, once, and value the book again."""
    from services.ops.client.books import change_book
    from services.ops.client.routes import ADD_FLOW

    body = {"on": options.on, "amount": options.amount, "reference": options.reference}
    change_book(options, ADD_FLOW, body)


@dataclass(frozen=True, kw_only=True)
class CorrectFlowOptions(ChangeOptions):
    """The options of `flows correct`."""

    flow: FlowArgument
    on: Annotated[date | None, day("The day of the payment.", "--on")] = None
    amount: Annotated[str | None, typer.Option(help="Paid in is positive, taken out negative.")] = None
    reference: Annotated[str | None, typer.Option(help="Its reference; '' takes it away.")] = None

    def over(self, stored: Mapping[str, object]) -> dict[str, object]:
        """Return a flow as it is sent: what is given in the place of what is stored."""
        terms = _merged(stored, {"on": self.on, "amount": self.amount, "reference": self.reference})
        return {**terms, "reference": terms["reference"] or None}


@taking(CorrectFlowOptions)
def correct_flow(options: CorrectFlowOptions) -> None:
    """Correct what is given of a flow; the rest stays.

    What it was before is kept in `portfolios edits`.
    """
    from services.ops.client.books import change_flow, terms_of
    from services.ops.client.routes import CORRECT_FLOW

    change_flow(options, options.flow, CORRECT_FLOW, lambda stored: options.over(terms_of(stored)))


@dataclass(frozen=True, kw_only=True)
class RemoveFlowOptions(ChangeOptions):
    """The options of `flows remove`."""

    flow: FlowArgument


@taking(RemoveFlowOptions)
def remove_flow(options: RemoveFlowOptions) -> None:
    """Take a flow away as if it had never been."""
    from services.ops.client.books import change_flow
    from services.ops.client.routes import REMOVE_FLOW

    change_flow(options, options.flow, REMOVE_FLOW, lambda _: None)
