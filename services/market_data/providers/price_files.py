"""Reading `prices.csv`, `prices.csv.gz` and `prices.parquet` with pyarrow."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv, parquet

from services.market_data.core.findings import Rule
from services.market_data.providers.price_columns import (
    DATE,
    NUMBERS,
    SYMBOL,
    PriceColumns,
    build_table,
    find_columns,
)
from services.market_data.providers.price_table import MAX_UNREAD_ROWS, PriceTable, UnreadRow
from services.market_data.providers.provider import UnreadableFile, WrongEncoding

_HEADER_BYTES: Final = 1 << 16
_ERROR_COLUMN: Final = re.compile(r"In CSV column #(\d+)")
_LABELS: Final = pa.dictionary(pa.int32(), pa.string())


def read_prices(path: Path, since: date) -> PriceTable:
    """Read the rows of a price file dated `since` or later.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If the file as a whole cannot be used. Bad rows are part of the result.
    """
    try:
        source = _read_parquet(path, since) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(path, str(error)) from error
    return build_table(source, since)


class _BrokenRows:
    """Rows that do not have as many cells as the header."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.rows: list[UnreadRow] = []

    def skip(self, row: Any) -> str:
        self.lines.append(row.number)
        if len(self.rows) < MAX_UNREAD_ROWS:
            detail = f"{row.actual_columns} cells where the header has {row.expected_columns}"
            self.rows.append(UnreadRow(None, None, Rule.WRONG_CELL_COUNT, detail, row.number))
        return "skip"


def _read_csv(path: Path) -> PriceColumns:
    line = _read_first_line(path)
    header = _parse_header(path, line)
    wanted = find_columns(path, header)
    if not line.endswith((b"\n", b"\r")):
        # a header alone, which pyarrow cannot skip
        return PriceColumns(path, {name: _empty(name) for name in wanted}, np.empty(0, dtype=np.int32))
    texts: set[str] = set()
    while True:
        try:
            return _parse_csv(path, header, wanted, texts=texts)
        except pa.ArrowInvalid as error:
            # a column with a cell that is no number is read as text, where each cell can be told from the others
            column = _column_of(error, wanted)
            if column is None or column not in NUMBERS or column in texts:
                raise _explain(path, header, error) from error
            texts.add(column)


def _parse_csv(path: Path, header: list[str], wanted: Mapping[str, int], *, texts: set[str]) -> PriceColumns:
    names = [f"column {place}" for place in range(len(header))]
    types = {names[place]: _csv_type(name, texts) for name, place in wanted.items()}
    broken = _BrokenRows()
    table = csv.read_csv(
        path,
        # one thread, because only then rows are numbered
        read_options=csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names, block_size=1 << 22),
        # without quoting a stray quote costs one line, not the rest of the file
        parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False, invalid_row_handler=broken.skip),
        convert_options=csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=True
        ),
    )
    table = table.unify_dictionaries()
    line = np.arange(2, 2 + len(table) + len(broken.lines), dtype=np.int32)
    return PriceColumns(
        path=path,
        columns={name: table[names[place]] for name, place in wanted.items()},
        line=np.delete(line, np.array(broken.lines, dtype=np.int64) - 2),
        broken=broken.rows,
        broken_omitted=len(broken.lines) - len(broken.rows),
    )


def _csv_type(name: str, texts: set[str]) -> Any:
    if name not in NUMBERS:
        return _LABELS
    return pa.string() if name in texts else pa.float64()


def _column_of(error: pa.ArrowInvalid, wanted: Mapping[str, int]) -> str | None:
    place = _ERROR_COLUMN.search(str(error))
    names = {position: name for name, position in wanted.items()}
    return None if place is None else names.get(int(place.group(1)))


def _explain(path: Path, header: list[str], error: Exception) -> Exception:
    place = _ERROR_COLUMN.search(str(error))
    if place is None or "invalid UTF8" not in str(error):
        return error
    return WrongEncoding(path, f"column {header[int(place.group(1))]!r}")


def _empty(name: str) -> Any:
    return pa.array([], type=_csv_type(name, set()))


def _read_first_line(path: Path) -> bytes:
    with pa.input_stream(str(path), compression="detect") as stream:
        beginning: bytes = stream.read(_HEADER_BYTES)
    line = beginning.splitlines(keepends=True)[0] if beginning else b""
    if not line.strip():
        raise UnreadableFile(path, "it has no header")
    if len(line) == _HEADER_BYTES:
        raise UnreadableFile(path, f"its header is longer than {_HEADER_BYTES} bytes")
    return line


def _parse_header(path: Path, line: bytes) -> list[str]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongEncoding(path, "the header") from error
    if "\x00" in text:
        raise WrongEncoding(path, "the header")
    return [name.strip(' \t\r\n"') for name in text.split(",")]


def _read_parquet(path: Path, since: date) -> PriceColumns:
    schema = parquet.read_schema(path)
    wanted = find_columns(path, schema.names)
    actual = {name: schema.names[place] for name, place in wanted.items()}
    for name, column in actual.items():
        _check_type(path, name, schema.field(column).type)
    day_type = schema.field(actual[DATE]).type
    condition, everything = None, _is_text(day_type)
    if not everything:
        field = compute.field(actual[DATE])
        condition = (field >= pa.scalar(since).cast(day_type)) | field.is_null()
    texts = [column for column in actual.values() if pa.types.is_string(schema.field(column).type)]
    table = parquet.read_table(path, columns=list(actual.values()), filters=condition, read_dictionary=texts)
    known = [] if everything else _symbols_of(path, actual[SYMBOL])
    columns = {name: table[column] for name, column in actual.items()}
    if not everything:
        columns[DATE] = compute.cast(columns[DATE], pa.date32(), safe=False)
    return PriceColumns(path=path, columns=columns, line=np.zeros(len(table), dtype=np.int32), symbols=known)


def _symbols_of(path: Path, column: str) -> list[str]:
    table = parquet.read_table(path, columns=[column])
    symbols: list[str | None] = compute.unique(table[column]).to_pylist()
    return [symbol for symbol in symbols if symbol and symbol.strip()]


def _check_type(path: Path, name: str, actual: Any) -> None:
    if name == SYMBOL:
        good, wanted = _is_text(actual), "text"
    elif name == DATE:
        good, wanted = _is_text(actual) or pa.types.is_date(actual) or pa.types.is_timestamp(actual), "dates"
    else:
        number = pa.types.is_floating(actual) or pa.types.is_integer(actual) or pa.types.is_decimal(actual)
        good, wanted = number or pa.types.is_null(actual), "numbers"
    if not good:
        raise UnreadableFile(path, f"column {name!r} must hold {wanted}, holds {actual}")


def _is_text(kind: Any) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))
