"""From the text of a positions file to cells by column: the separator, the sign of decimals, the header, the rows."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from typing import Final

from services.portfolio.core.csv_rows import COLUMNS, EVERY_COLUMN, NUMBERS, REQUIRED_COLUMNS, SHOWN, RowError

MAX_ROWS: Final = 100_000

_SEPARATORS: Final = (",", ";", "\t")
_STATED_SEPARATOR: Final = re.compile(r'"?sep=([,;|\t])"?\s*', re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_SPELLINGS: Final = {name.casefold(): name for name in EVERY_COLUMN}


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The rows of a file with their line numbers, how it is written, and what stopped the reading.

    A row has the cells of the columns that the file has.
    """

    separator: str = ","
    decimal_sign: str = "."
    rows: tuple[tuple[int, dict[str, str]], ...] = ()
    errors: tuple[RowError, ...] = ()


def read_table(text: str) -> CsvTable:
    """Return the rows of a file; reading stops at the first malformed line or at the row limit.

    The separator is the one that a first line ``sep=`` names, else that of comma, semicolon and tab by which the first
    line with content has the most columns of a positions file. Between semicolons, if a number has a comma, the comma
    is the sign of decimals in the whole file.
    """
    # newline=None turns every line end into \n, so that the reader's line numbers are an editor's.
    lines = list(io.StringIO(text, newline=None))
    stated = _STATED_SEPARATOR.fullmatch(lines[0]) if lines else None
    if stated is not None:
        lines[0] = "\n"
    # Comments become empty lines, which keeps the line numbers.
    lines = ["\n" if line.startswith("#") else line for line in lines]
    separator = _separator(lines) if stated is None else stated[1]
    reading = _Reading(separator)
    reading.read(lines)
    if not reading.rows and not reading.errors:
        reading.errors.append(file_error("ERR_CSV_003", "must have a header and at least one row"))
    comma = separator == ";" and any(
        _DECIMAL_COMMA.fullmatch(cell) for _, row in reading.rows for name, cell in row.items() if name in NUMBERS
    )
    return CsvTable(separator, "," if comma else ".", tuple(reading.rows), tuple(reading.errors))


def file_error(code: str, message: str, *, line: int = 0) -> RowError:
    """Return what is wrong with a file, or with one line of it."""
    return RowError(line, "file" if line == 0 else "row", code, message)


class _Reading:
    """Reads line after line: the header first, then rows."""

    def __init__(self, separator: str) -> None:
        self.rows: list[tuple[int, dict[str, str]]] = []
        self.errors: list[RowError] = []
        self._separator = separator
        self._header: tuple[str, ...] = ()

    def read(self, lines: Sequence[str]) -> None:
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped) and not self._take(stripped, reader.line_num):
                    return
        except csv.Error as error:
            self.errors.append(file_error("ERR_CSV_006", f"is not well-formed: {error}", line=reader.line_num))

    def _take(self, cells: list[str], line: int) -> bool:
        """Take a line; tell whether to go on."""
        if not self._header:
            self._header = tuple(_column(name) for name in cells)
            self.errors.extend(self._header_errors(cells, line))
            return not self.errors
        if len(self.rows) == MAX_ROWS:
            self.errors.append(file_error("ERR_CSV_007", f"must have at most {MAX_ROWS} rows", line=line))
            return False
        named = [(name, cell) for name, cell in zip_longest(self._header, cells, fillvalue="") if cell]
        nameless = [cell for name, cell in named if not name]
        if nameless:
            message = f"has {nameless[0][:SHOWN]!r} in a cell without a column"
            self.errors.append(file_error("ERR_CSV_006", message, line=line))
        else:
            self.rows.append((line, dict(named)))
        return True

    def _header_errors(self, cells: list[str], line: int) -> Iterator[RowError]:
        seen = ", ".join(repr(name[:SHOWN]) for name in cells[: len(COLUMNS)])
        for column in REQUIRED_COLUMNS:
            if column not in self._header:
                reason = f"column is missing: between separators {self._separator!r} the header has {seen}"
                yield RowError(line, column, "ERR_CSV_004", reason)
        for name, column in zip(cells, self._header, strict=True):
            if column and column not in EVERY_COLUMN:
                near = get_close_matches(name.casefold(), _SPELLINGS, n=1)
                meant = f"; is it {_SPELLINGS[near[0]]!r}?" if near else ""
                yield RowError(line, name[:SHOWN], "ERR_CSV_005", f"column is not known{meant}")
        for column in dict.fromkeys(self._header):
            if column and self._header.count(column) > 1:
                yield RowError(line, column[:SHOWN], "ERR_CSV_005", "column appears twice")


def _separator(lines: Sequence[str]) -> str:
    header = next((line for line in lines if line.strip()), "")
    return max(_SEPARATORS, key=lambda separator: _known_columns(header, separator))


def _known_columns(header: str, separator: str) -> int:
    try:
        (cells,) = csv.reader([header], delimiter=separator)
    except csv.Error:
        return 0
    return sum(_column(cell) in EVERY_COLUMN for cell in cells)


def _column(name: str) -> str:
    """Return a column as it is called here, if it is one of ours in other capitals or with other blanks."""
    spelled = " ".join(name.split())
    return _SPELLINGS.get(spelled.casefold(), spelled)
