"""Commands about benchmarks: `benchmarks load`."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from services.ops.client.client import connected
from services.ops.client.rendering import console, table
from services.ops.client.routes import LOAD_BENCHMARK
from services.ops.data_directory import DataDirectory
from services.ops.errors import FieldError, Misused, WrongRows
from services.ops.options import ClientOptions, day, taking

_COLUMNS: Final = ["sector", "weight"]


@dataclass(frozen=True, kw_only=True)
class LoadOptions(ClientOptions):
    """The options of `benchmarks load`."""

    file: Annotated[Path, typer.Argument(help="A CSV file with the columns sector and weight, fractions of the index.")]
    as_of: Annotated[date, day("The day from which the weights count.")]
    name: Annotated[str, typer.Option(help="SP500 is the one that sectors are compared with.")] = "SP500"


@taking(LoadOptions)
def load_benchmark(options: LoadOptions) -> None:
    """Load the sector weights of a benchmark; assessments from then on are compared with them."""
    weights = read_weights(options.file)
    with connected(DataDirectory(options.data_dir), options.url) as client:
        body = {"as_of": options.as_of.isoformat(), "weights": weights}
        loaded = client.send(LOAD_BENCHMARK.at(name=options.name), body)
    if options.json:
        typer.echo(json.dumps(loaded, indent=2))
        return
    rows = [(sector, f"{weight:.1%}") for sector, weight in sorted(loaded["weights"].items())]
    console().print(table(f"{loaded['benchmark']} as of {loaded['as_of']}", ("sector", "weight"), rows))


def read_weights(file: Path) -> dict[str, float]:
    """Return the weights of a file by sector.

    Raises
    ------
    Misused, WrongRows
        If the file cannot be read or has other columns, or rows of it are wrong: all of them are named.
    """
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misused(f"cannot read {file}: {error}") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if header != _COLUMNS:
        raise Misused(f"{file} must have the columns {', '.join(_COLUMNS)}, had {', '.join(header) or 'none'}")
    weights: dict[str, float] = {}
    errors = []
    for line, row in enumerate(rows[1:], start=2):
        wrong = _why_wrong(row, weights)
        if wrong is not None:
            errors.append(FieldError(*wrong, line))
        elif row:
            weights[row[0].strip()] = float(row[1])
    if errors:
        raise WrongRows(file, errors)
    return weights


def _why_wrong(row: Sequence[str], known: dict[str, float]) -> tuple[str, str] | None:
    if not row:
        return None
    if len(row) != len(_COLUMNS):
        return "row", f"must have {len(_COLUMNS)} cells, had {len(row)}"
    sector, weight = (cell.strip() for cell in row)
    if not sector or sector in known:
        return "sector", "must be named once, was " + (f"{sector!r} again" if sector else "empty")
    try:
        finite = math.isfinite(float(weight))
    except ValueError:
        finite = False
    return None if finite else ("weight", f"must be a number, was {weight!r}")
