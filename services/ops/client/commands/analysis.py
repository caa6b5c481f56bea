"""Commands that look into results: `explain`, `changes` and `report`."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
from services.ops.options import day, taking
from services.ops.terminal import say


@dataclass(frozen=True, kw_only=True)
class ExplainOptions(ClientOptions):
    """The options of `explain`."""

    portfolio: Annotated[str, typer.Argument(help="Its id or its name.")]
    measure: Annotated[str, typer.Argument(help="For example equity, volatility_63d, market_beta, market_down_10.")]
    as_of: Annotated[date | None, day("The newest session on or before this day.")] = None


@taking(ExplainOptions)
def explain(options: ExplainOptions) -> None:
    """Show what a number was made from.

    With the provider of each price, and the number computed again from that.
    """
    from services.ops.client.explanation import load_explanation, print_explanation
    from services.ops.client.lookup import find_portfolio

    with options.connected() as client:
        portfolio = find_portfolio(client, options.portfolio)
        found = load_explanation(client, portfolio["portfolio_id"], options.measure, options.as_of)
    options.show(found, print_explanation)


@dataclass(frozen=True, kw_only=True)
class ChangesOptions(ClientOptions):
    """The options of `changes`."""

    portfolio: Annotated[str, typer.Argument(help="Its id or its name.")]
    as_of: Annotated[date | None, day("The newest session on or before this day.")] = None
    since: Annotated[date | None, day("Compared with this day; none: the one before.")] = None
    revision: Annotated[int | None, typer.Option(help="Compared with its own revision.")] = None


@taking(ChangesOptions)
def changes(options: ChangesOptions) -> None:
    """Show what changed since the session before.

    Value, market beta and value at risk: by flows, positions, prices, betas, corrections and code.
    """
    from services.ops.client.changes import load_changes, print_changes
    from services.ops.client.lookup import find_portfolio

    with options.connected() as client:
        portfolio_id = find_portfolio(client, options.portfolio)["portfolio_id"]
        found = load_changes(client, portfolio_id, as_of=options.as_of, since=options.since, revision=options.revision)
    options.show(found, print_changes)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ClientOptions):
    """The options of `report`."""

    portfolio: Annotated[str, typer.Argument(help="Its id or its name.")]
    out: Annotated[Path | None, typer.Option(help="FILE.html.")] = None
    pdf: Annotated[Path | None, typer.Option(help="FILE.pdf, by an installed browser.")] = None
    paper: Annotated[Literal["A4", "letter"], typer.Option(help="Of the PDF.")] = "A4"
    as_of: Annotated[date | None, day("The newest valued session on or before this day.")] = None


@taking(ReportOptions)
def report(options: ReportOptions) -> None:
    """Write a report about a portfolio.

    A first page for its owner; charts, tables, coverage, and every reason behind it.
    """
    if options.out is None and options.pdf is None:
        raise Misused("say where to write it: --out FILE.html, --pdf FILE.pdf, or both")
    _check_ending("--out", options.out, ".html", ".htm")
    _check_ending("--pdf", options.pdf, ".pdf")
    from services.ops.client.browser import find_browser, print_to_pdf
    from services.ops.client.portfolio_overview import load_overview
    from services.ops.client.report_page import render_page

    if options.pdf is not None:
        find_browser()
    with options.connected() as client:
        found = load_overview(client, options.portfolio, options.as_of)
    written = [file for file in (options.out, options.pdf) if file is not None]
    try:
        for file in written:
            file.parent.mkdir(parents=True, exist_ok=True)
        if options.out is not None:
            options.out.write_text(render_page(found), encoding="utf-8")
        if options.pdf is not None:
            print_to_pdf(render_page(found, paper=options.paper), options.pdf)
    except OSError as error:
        raise Misused(f"{error.filename} cannot be written: {error.strerror or error}") from error
    if options.json:
        say(json.dumps({name: str(file) for name, file in (("out", options.out), ("pdf", options.pdf)) if file}))
    else:
        say("\n".join(f"wrote {file}" for file in written))


def _check_ending(flag: str, file: Path | None, *endings: str) -> None:
    if file is not None and file.suffix.lower() not in endings:
        raise Misused(f"{flag} must end with {endings[0]}, was {file.name}")
