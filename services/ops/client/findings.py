"""Findings on the terminal: what was wrong with delivered rows, and what an operator decides about it."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

import typer

from services.ops.client.answers.findings import Finding, Ruling
from services.ops.client.answers.portfolios import Portfolio
from services.ops.client.answers.runs import RunReport
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_first, load_list
from services.ops.client.progress import follow_run
from services.ops.client.rendering import console, print_run, run_succeeded, table
from services.ops.client.routes import DECIDE, FINDINGS, OPEN_RUN, PORTFOLIOS
from services.ops.errors import Misused
from services.ops.terminal import say
from shared.symbols import one_spelling

if TYPE_CHECKING:
    from services.ops.client.commands.findings import FindingsOptions, RulingOptions

_HELD: Final = "UNEXPLAINED_JUMP"
_DECIDED: Final = frozenset({_HELD, "INFERRED_SPLIT", "SPLIT_WITHOUT_MOVE", "DELISTED"})


def load_findings(client: ApiClient, options: "FindingsOptions") -> list[Finding]:
    """Return the findings that the options name, the oldest first."""
    return load_first(
        client,
        FINDINGS,
        options.limit,
        run_id=options.run,
        symbol=options.symbol,
        rule=options.rule,
        undecided=options.undecided or None,
    )


def print_findings(findings: Sequence[Finding]) -> None:
    """Show a line a finding."""
    rows = [
        (
            each["symbol"],
            each["day"],
            each["rule"],
            each["detail"],
            each["decision"] or "",
            each["provider"],
            ":".join(str(part) for part in (each["file"], each["line"]) if part is not None),
            each["run_id"],
        )
        for each in findings
    ]
    columns = ("symbol", "day", "rule", "detail", "decision", "provider", "file", "run")
    console().print(table("findings", columns, rows) if rows else "nothing was found wrong")


class Decided(TypedDict):
    """A decision, the portfolios that it may change, and the run that applied it, where there was one to begin."""

    ruling: Ruling
    portfolios: list[Portfolio]
    run: RunReport | None


def decide(options: "RulingOptions", decision: str) -> None:
    """Decide about what was found of a bar, show what that changes, and run it unless it is only tried.

    Raises
    ------
    Misused
        If there is more than one thing there to decide about.
    """
    with options.connected() as client:
        body = {"decision": decision, "why": options.why, "requested_by": asker(), "dry_run": options.dry_run}
        ruling = client.send(DECIDE, {**_place(client, options), **body})
        holders = load_list(client, PORTFOLIOS, symbol=ruling["symbol"])
        if not options.json:
            _print_ruling(ruling, holders)
        run = follow_run(client, _begin(client, ruling, holders)) if ruling["stored"] and ruling["changes"] else None
    if options.json:
        say(json.dumps(Decided(ruling=ruling, portfolios=holders, run=run), indent=2))
    elif run is not None:
        print_run(run)
    if run is not None and not run_succeeded(run):
        raise typer.Exit(1)


def _place(client: ApiClient, options: "RulingOptions") -> dict[str, str]:
    symbol, session = one_spelling(options.symbol), options.session.date().isoformat()
    found = [each["rule"] for each in load_list(client, FINDINGS, symbol=symbol) if each["day"] == session]
    rules = [rule for rule in found if rule in _DECIDED]
    if len(rules) > 1:
        raise Misused(f"there must be one thing to decide about {symbol} on {session}, found were {', '.join(rules)}")
    # Of a close that was accepted nothing is found any more; it may be refused all the same.
    return {"symbol": symbol, "session": session, "rule": rules[0] if rules else _HELD}


def _begin(client: ApiClient, ruling: Ruling, holders: Sequence[Portfolio]) -> str:
    body = {
        "kind": "correction",
        "symbols": [ruling["symbol"]],
        "portfolio_ids": [portfolio["portfolio_id"] for portfolio in holders] or None,
        "first_session": ruling["changes"][0]["session"],
        "last_session": ruling["changes"][-1]["session"],
        "requested_by": asker(),
    }
    return client.send(OPEN_RUN, body)["run"]["run_id"]


def _print_ruling(ruling: Ruling, holders: Sequence[Portfolio]) -> None:
    out = console()
    out.print(f"{ruling['decision']} {ruling['rule']} of {ruling['symbol']} on {ruling['session']}: {ruling['value']}")
    columns = ("session", "close before", "close after", "split before", "split after")
    rows = [
        (
            change["session"],
            "held" if change["close_before"] is None else change["close_before"],
            "held" if change["close_after"] is None else change["close_after"],
            change["split_before"],
            change["split_after"],
        )
        for change in ruling["changes"]
    ]
    out.print(table("bars that change", columns, rows) if rows else "no bar changes")
    out.print(f"portfolios: {', '.join(portfolio['name'] for portfolio in holders) or 'none'}")
    out.print("kept; the next run over the symbol applies it" if ruling["stored"] else "a dry run: nothing is kept")
