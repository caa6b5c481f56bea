"""Benchmark files: read whole or not at all, every wrong row named."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from services.ops.errors import FieldError, Misused, WrongRows

WEIGHT: Final = "weight"
_CELLS: Final = 2


def read_weights(file: Path, of: str = "sector", spelled: Callable[[str], str] = str.strip) -> dict[str, float]:
    """Return the weights of a file by what they are of, in one spelling.

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
    if header != [of, WEIGHT]:
        raise Misused(f"{file} must have the columns {of}, {WEIGHT}, had {', '.join(header) or 'none'}")
    weights: dict[str, float] = {}
    errors = []
    for line, row in enumerate(rows[1:], start=2):
        named = [spelled(row[0]), *row[1:]] if row else row
        wrong = _why_wrong(named, weights, of)
        if wrong is not None:
            errors.append(FieldError(*wrong, line))
        elif row:
            weights[named[0]] = float(row[1])
    if errors:
        raise WrongRows(file, errors)
    return weights


def _why_wrong(row: Sequence[str], known: dict[str, float], of: str) -> tuple[str, str] | None:
    if not row:
        return None
    if len(row) != _CELLS:
        return "row", f"must have {_CELLS} cells, had {len(row)}"
    name, weight = (cell.strip() for cell in row)
    if not name or name in known:
        return of, "must be named once, was " + (f"{name!r} again" if name else "empty")
    try:
        finite = math.isfinite(float(weight))
    except ValueError:
        finite = False
    return None if finite else ("weight", f"must be a number, was {weight!r}")
