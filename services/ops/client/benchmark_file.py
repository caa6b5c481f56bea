"""Benchmark files: read whole or not at all, every wrong row named."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.ops.errors import FieldError, Misused, WrongRows

_COLUMNS: Final = ["sector", "weight"]


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
