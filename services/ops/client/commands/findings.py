"""The command `findings`."""

from dataclasses import dataclass
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
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100


@taking(FindingsOptions)
def findings(options: FindingsOptions) -> None:
    """List delivered rows that were set aside, and by which rule.

    Of prices, profiles and statements, with the provider and where the row stands.
    """
    from services.ops.client.findings import load_findings, print_findings

    with options.connected() as client:
        options.show(load_findings(client, options), print_findings)
