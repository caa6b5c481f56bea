"""Read a positions file: the terms of every row, or every error of the file. Nothing is half applied."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from services.portfolio.core.csv_rows import Row, RowError
from services.portfolio.core.csv_table import file_error, read_table
from services.portfolio.core.positions import PositionTerms

MAX_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CsvImport:
    """The outcome: `positions`, or `errors` and no positions; and how the file was read."""

    positions: tuple[PositionTerms, ...] = ()
    errors: tuple[RowError, ...] = ()
    separator: str = ","
    decimal_sign: str = "."


def parse_positions_csv(content: bytes, *, today: date) -> CsvImport:
    """Return the positions of a file, or all of its errors.

    UTF-8 with or without a byte order mark, a header row, the columns of `csv_rows.COLUMNS` in any order and any
    capitals, the first four required; separator and sign of decimals as `csv_table.read_table` finds them. Lines that
    begin with ``#``, empty lines and columns are nothing; lines are counted as an editor counts them. Codes
    ``ERR_CSV_001`` too large, ``003`` empty, ``004`` column missing, ``005`` header, ``006`` malformed, ``007`` too
    many rows; ``ERR_POS_001`` to ``026`` of a row.

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
    table = read_table(text)
    positions: list[PositionTerms] = []
    errors = list(table.errors)
    for line, cells in table.rows:
        row = Row(line, cells, today, table.decimal_sign)
        terms = row.terms()
        errors.extend(row.errors)
        if terms is not None:
            positions.append(terms)
    if errors:
        return CsvImport((), tuple(sorted(errors, key=lambda error: error.line)), table.separator, table.decimal_sign)
    return CsvImport(tuple(positions), (), table.separator, table.decimal_sign)


def _decoded(content: bytes) -> str | RowError:
    if len(content) > MAX_BYTES:
        return file_error("ERR_CSV_001", f"must have at most {MAX_BYTES} bytes, has {len(content)}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return file_error("ERR_CSV_006", f"must be UTF-8, byte {error.start} is not")
    if "\0" in text:
        return file_error("ERR_CSV_006", "must not contain NUL characters")
    return text
