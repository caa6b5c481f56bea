"""Findings on the terminal: what was wrong with delivered rows, by run and symbol."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.ops.client.answers.findings import Finding
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_first
from services.ops.client.rendering import console, table
from services.ops.client.routes import FINDINGS

if TYPE_CHECKING:
    from services.ops.client.commands.findings import FindingsOptions


def load_findings(client: ApiClient, options: "FindingsOptions") -> list[Finding]:
    """Return the findings that the options name, the oldest first."""
    return load_first(
        client,
        FINDINGS,
        options.limit,
        run_id=options.run,
        symbol=options.symbol.upper() if options.symbol else None,
        rule=options.rule,
    )


def print_findings(findings: Sequence[Finding]) -> None:
    """Show a line a finding."""
    rows = [
        (
            each["symbol"],
            each["day"],
            each["rule"],
            each["detail"],
            each["provider"],
            ":".join(str(part) for part in (each["file"], each["line"]) if part is not None),
            each["run_id"],
        )
        for each in findings
    ]
    columns = ("symbol", "day", "rule", "detail", "provider", "file", "run")
    console().print(table("findings", columns, rows) if rows else "nothing was found wrong")
