"""Reading `prices.csv`, `prices.csv.gz` and `prices.parquet` with pyarrow."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv, parquet

from services.market_data.core.findings import Rule
from services.market_data.providers.price_columns import PriceColumns
from services.market_data.providers.price_header import (
    BASIS,
    CLOSE,
    CURRENCY,
    DATE,
    NUMBERS,
    SYMBOL,
    Header,
    read_header,
)
from services.market_data.providers.price_table import MAX_UNREAD_ROWS, UnreadRow, canonical
from services.market_data.providers.provider import UnreadableFile, WrongEncoding

_HEADER_BYTES: Final = 1 << 16
_ERROR_COLUMN: Final = re.compile(r"In CSV column #(\d+)")
_LABELS: Final = pa.dictionary(pa.int32(), pa.string())


def read_columns(path: Path, since: date, symbol: str | None = None) -> PriceColumns:
    """Return the columns of a price file, at least of the rows dated `since` or later.

    Without a column of symbols, all rows are those of `symbol`, if that is given.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If the file as a whole cannot be used. Bad rows are part of the result.
    """
    required = (SYMBOL, DATE, CLOSE) if symbol is None else (DATE, CLOSE)
    try:
        read = _read_parquet if path.suffix == ".parquet" else _read_csv
        columns = read(path, since, required)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(path, str(error)) from error
    if SYMBOL in columns.columns or symbol is None:
        return columns
    names = pa.repeat(pa.scalar(symbol), len(columns.line)).dictionary_encode()
    broken = [replace(row, key=row.key or canonical(symbol)) for row in columns.broken]
    return replace(columns, columns={**columns.columns, SYMBOL: names}, broken=broken, symbols=[symbol])


def _odd(header: Header) -> list[UnreadRow]:
    return [
        UnreadRow(None, None, Rule.UNKNOWN_COLUMN, f"column {name!r} looks like one that is read, and is none", 1)
        for name in header.odd
    ]


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


def _read_csv(path: Path, _: date, required: Sequence[str]) -> PriceColumns:
    line = _read_first_line(path)
    names = _parse_header(path, line)
    header = read_header(path, names, required=required)
    if not line.endswith((b"\n", b"\r")):
        # a header alone, which pyarrow cannot skip
        return PriceColumns(path, {name: _empty(name) for name in header.places}, np.empty(0, dtype=np.int32))
    texts: set[str] = set()
    while True:
        try:
            return _parse_csv(path, names, header, texts=texts)
        except pa.ArrowInvalid as error:
            # a column with a cell that is no number is read as text, where each cell can be told from the others
            column = _column_of(error, header.places)
            if column is None or column not in NUMBERS or column in texts:
                raise _explain(path, names, error) from error
            texts.add(column)


def _parse_csv(path: Path, spelled: list[str], header: Header, *, texts: set[str]) -> PriceColumns:
    names = [f"column {place}" for place in range(len(spelled))]
    types = {names[place]: _csv_type(name, texts) for name, place in header.places.items()}
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
        columns={name: table[names[place]] for name, place in header.places.items()},
        line=np.delete(line, np.array(broken.lines, dtype=np.int64) - 2),
        broken=[*_odd(header), *broken.rows],
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


def _read_parquet(path: Path, since: date, required: Sequence[str]) -> PriceColumns:
    schema = parquet.read_schema(path)
    header = read_header(path, schema.names, required=required)
    actual = {name: schema.names[place] for name, place in header.places.items()}
    for name, column in actual.items():
        _check_type(path, name, schema.field(column).type)
    day_type = schema.field(actual[DATE]).type
    condition, everything = None, _is_text(day_type)
    if not everything:
        field = compute.field(actual[DATE])
        # a day earlier: which day a moment is on depends on the zone
        condition = (field >= pa.scalar(since - timedelta(days=1)).cast(day_type)) | field.is_null()
    texts = [column for column in actual.values() if pa.types.is_string(schema.field(column).type)]
    table = parquet.read_table(path, columns=list(actual.values()), filters=condition, read_dictionary=texts)
    known = [] if everything or SYMBOL not in actual else _symbols_of(path, actual[SYMBOL])
    columns = {name: table[column] for name, column in actual.items()}
    if not everything:
        columns[DATE] = _days_of(columns[DATE])
    line = np.zeros(len(table), dtype=np.int32)
    return PriceColumns(path=path, columns=columns, line=line, broken=_odd(header), symbols=known)


def _days_of(column: Any) -> Any:
    """Return the days of dates or moments: a midnight, wherever, is the day itself, another moment that of New York."""
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return compute.cast(column, pa.date32(), safe=False)
    own = compute.local_timestamp(column)
    there = compute.local_timestamp(compute.cast(column, pa.timestamp(column.type.unit, tz="America/New_York")))
    moment = compute.if_else(compute.equal(own, compute.floor_temporal(own, unit="day")), own, there)
    return compute.cast(moment, pa.date32(), safe=False)


def _symbols_of(path: Path, column: str) -> list[str]:
    table = parquet.read_table(path, columns=[column])
    symbols: list[str | None] = compute.unique(table[column]).to_pylist()
    return [symbol for symbol in symbols if symbol and symbol.strip()]


def _check_type(path: Path, name: str, actual: Any) -> None:
    if name in {SYMBOL, BASIS, CURRENCY}:
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
