"""Read a positions file: the terms of every row, or every error of the file. Nothing is half applied."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.portfolio.core.csv_rows import COLUMNS, ENTRY_DATE, REQUIRED_COLUMNS, SYMBOL, Row, RowError
from services.portfolio.core.positions import PositionTerms

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class CsvImport:
    """The outcome: `positions`, or `errors` and no positions."""

    positions: tuple[PositionTerms, ...] = ()
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of cells with their line numbers, and what stopped the reading."""

    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    errors: list[RowError]


def parse_positions_csv(content: bytes, *, today: date) -> CsvImport:
    """Return the positions of a file, or all of its errors.

    UTF-8 with or without a byte order mark, comma separated, a header row, the twelve columns of `csv_rows.COLUMNS`
    in any order, the first four required. Lines that begin with ``#`` and empty lines are skipped; lines are counted
    as an editor counts them. Symbols are upper-cased. Codes ``ERR_CSV_001`` too large, ``003`` empty, ``004`` column
    missing, ``005`` header, ``006`` malformed, ``007`` too many rows; ``ERR_POS_001`` to ``025`` of a row.

    Parameters
    ----------
    content : bytes
        The file.
    today : date
        No entry or exit may be later.
    """
    text = _decoded(content)
    if isinstance(text, RowError):
        return CsvImport(errors=(text,))
    table = _read(text)
    if not table.header:
        return CsvImport(errors=tuple(table.errors))
    positions: list[PositionTerms] = []
    errors = list(table.errors)
    first_line: dict[tuple[str, date], int] = {}
    for line, cells in table.rows:
        if len(cells) > len(table.header):
            errors.append(
                _file_error("ERR_CSV_006", f"has {len(cells)} cells for {len(table.header)} columns", line=line)
            )
            continue
        row = Row(line, _by_column(table.header, cells), today)
        terms = row.terms()
        errors.extend(row.errors)
        if terms is not None:
            errors.extend(_duplicate(terms, line, first_line=first_line))
            positions.append(terms)
    if errors:
        return CsvImport(errors=tuple(sorted(errors, key=lambda error: error.line)))
    return CsvImport(positions=tuple(positions))


def _decoded(content: bytes) -> str | RowError:
    if len(content) > MAX_BYTES:
        return _file_error("ERR_CSV_001", f"must have at most {MAX_BYTES} bytes, has {len(content)}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _file_error("ERR_CSV_006", f"must be UTF-8, byte {error.start} is not")
    if "\0" in text:
        return _file_error("ERR_CSV_006", "must not contain NUL characters")
    return text


def _read(text: str) -> _Table:
    """Return header and rows; reading stops at the first malformed line or at the row limit."""
    # newline=None turns every line end into \n, so that the reader's line numbers are an editor's.
    lines = io.StringIO(text, newline=None)
    reader = csv.reader(_without_comments(lines), strict=True)
    header: tuple[str, ...] = ()
    rows: list[tuple[int, list[str]]] = []
    errors: list[RowError] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not header:
                header, errors = tuple(stripped), _header_errors(stripped, reader.line_num)
            elif len(rows) == MAX_ROWS:
                errors.append(_file_error("ERR_CSV_007", f"must have at most {MAX_ROWS} rows", line=reader.line_num))
                break
            else:
                rows.append((reader.line_num, stripped))
            if errors:
                return _Table((), [], errors)
    except csv.Error as error:
        errors.append(_file_error("ERR_CSV_006", f"is not well-formed: {error}", line=reader.line_num))
    if not rows and not errors:
        errors.append(_file_error("ERR_CSV_003", "must have a header and at least one row"))
    return _Table(header, rows, errors)


def _without_comments(lines: Iterable[str]) -> Iterator[str]:
    """Replace comment lines by empty ones, which keeps the line numbers."""
    for line in lines:
        yield "\n" if line.startswith("#") else line


def _header_errors(header: list[str], line: int) -> list[RowError]:
    missing = [
        RowError(line, column, "ERR_CSV_004", "column is missing")
        for column in REQUIRED_COLUMNS
        if column not in header
    ]
    unknown = [
        RowError(line, name[:40], "ERR_CSV_005", "column is not known") for name in header if name not in COLUMNS
    ]
    twice = [RowError(line, name, "ERR_CSV_005", "column appears twice") for name in COLUMNS if header.count(name) > 1]
    return missing + unknown + twice


def _by_column(header: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    """Return the cells by column; columns that the file or the row leaves out are empty."""
    return {**dict.fromkeys(COLUMNS, ""), **dict(zip(header, cells, strict=False))}


def _duplicate(terms: PositionTerms, line: int, *, first_line: dict[tuple[str, date], int]) -> list[RowError]:
    first = first_line.setdefault((terms.symbol, terms.entry_date), line)
    if first == line:
        return []
    message = f"{terms.symbol} entered {terms.entry_date} is on line {first} already ({SYMBOL}, {ENTRY_DATE})"
    return [RowError(line, SYMBOL, "ERR_POS_023", message)]


def _file_error(code: str, message: str, *, line: int = 0) -> RowError:
    return RowError(line, "file" if line == 0 else "row", code, message)
