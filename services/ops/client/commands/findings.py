"""The commands `findings`, `accept` and `refuse`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import taking


@dataclass(frozen=True, kw_only=True)
class FindingsOptions(ClientOptions):
    """The options of `findings`."""

    run: Annotated[str | None, typer.Option(help="Only what this run found first, by its id.")] = None
    symbol: Annotated[str | None, typer.Option(help="Only about this one.")] = None
    rule: Annotated[str | None, typer.Option(help="Only by this rule, such as NON_POSITIVE_CLOSE.")] = None
    undecided: Annotated[bool, typer.Option("--undecided", help="Only what is still to be decided about.")] = False
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100


@taking(FindingsOptions)
def findings(options: FindingsOptions) -> None:
    """List delivered rows that were set aside, and by which rule.

    Of prices, profiles and statements, with the provider and where the row stands.
    """
    from services.ops.client.findings import load_findings, print_findings

    with options.connected() as client:
        options.show(load_findings(client, options), print_findings)


@dataclass(frozen=True, kw_only=True)
class RulingOptions(ClientOptions):
    """The options of `accept` and `refuse`."""

    symbol: Annotated[str, typer.Argument(help="Whose bar.")]
    session: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Of which session.")]
    why: Annotated[str, typer.Option(help="Kept with who decides it.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would change.")] = False


@taking(RulingOptions)
def accept(options: RulingOptions) -> None:
    """Accept a held close, or a split that was inferred or not used.

    Shows which bars and portfolios that changes, and runs their sessions again.
    """
    from services.ops.client.findings import decide

    decide(options, "accept")


@taking(RulingOptions)
def refuse(options: RulingOptions) -> None:
    """Refuse a held close, or what was made of a split.

    Shows which bars and portfolios that changes, and runs their sessions again.
    """
    from services.ops.client.findings import decide

    decide(options, "refuse")
