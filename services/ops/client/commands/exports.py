"""The command `export`."""

import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking
from services.ops.terminal import say


class Results(StrEnum):
    """What can be exported."""

    FACTORS = "factors"
    METRICS = "metrics"
    SNAPSHOTS = "snapshots"
    POSITIONS = "positions"
    RISK = "risk"
    PERFORMANCE = "performance"
    REALISED = "realised"
    STRESS = "stress"
    REVERSE_STRESS = "reverse-stress"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ClientOptions):
    """The options of `export`."""

    results: Annotated[Results, typer.Argument(help="What to export.")]
    out: Annotated[Path, typer.Option(help="FILE.csv, FILE.parquet or FILE.xlsx.")]
    first: Annotated[date | None, day("First session; by default the first there is.", "--from")] = None
    last: Annotated[date | None, day("Last session; by default the last there is.", "--to")] = None


@taking(ExportOptions)
def export(options: ExportOptions) -> None:
    """Write results to a file for a notebook or a spreadsheet.

    One row a number, with its reason if there is none.
    """
    from services.ops.client.export_tables import EXPORTS
    from services.ops.client.rendering import console

    with options.connected() as client, console(stderr=True).status(f"writing {options.out}"):
        wanted = EXPORTS[options.results.value]
        rows = wanted.write(client, options.out, first=options.first, last=options.last)
    if options.json:
        say(json.dumps({"rows": rows, "out": str(options.out)}))
    else:
        say(f"{rows} rows in {options.out}")
