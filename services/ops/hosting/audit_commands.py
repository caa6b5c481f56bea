"""Commands about who did what: `audit list`, `audit verify`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from services.ops.hosting.recovery import ServersOptions
from services.ops.options import taking


@dataclass(frozen=True, kw_only=True)
class ListOptions(ServersOptions):
    """The options of `audit list`."""

    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 50
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")] = False


@taking(ListOptions)
def list_actions(options: ListOptions) -> None:
    """List who changed what over HTTP, or tried to.

    The newest last.
    """
    from services.ops.hosting.auditing import show_actions
    from services.ops.hosting.running import run_to_end

    run_to_end(show_actions(options.settings(), limit=options.limit, as_json=options.json))


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(ServersOptions):
    """The options of `audit verify`."""

    seen: Annotated[
        list[str] | None, typer.Option(help="What it said before: finds that the end was cut off; repeat for several.")
    ] = None


@taking(VerifyOptions)
def verify_actions(options: VerifyOptions) -> None:
    """Find out whether what was done is still told as it was.

    Rows that were changed, removed or put elsewhere do not go with the others.
    """
    from services.ops.hosting import auditing
    from services.ops.hosting.running import run_to_end

    run_to_end(auditing.verify_actions(options.settings(), auditing.seen_rows(options.seen or ())))
