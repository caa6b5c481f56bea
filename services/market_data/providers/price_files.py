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
    header = _read_header(path)
    wanted = find_columns(path, header)
    try:
        return _parse_csv(path, header, wanted, number_type=pa.float64())
    except pa.ArrowInvalid:
        # some cell is no number: as text, each can be told from the others
        return _parse_csv(path, header, wanted, number_type=pa.string())


def _parse_csv(path: Path, header: list[str], wanted: Mapping[str, int], *, number_type: Any) -> PriceColumns:
    names = [f"column {place}" for place in range(len(header))]
    types = {names[place]: number_type if name in NUMBERS else _LABELS for name, place in wanted.items()}
    broken = _BrokenRows()
    try:
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
    except pa.ArrowInvalid as error:
        raise _explain(path, header, error) from error
    table = table.unify_dictionaries()
    line = np.arange(2, 2 + len(table) + len(broken.lines), dtype=np.int32)
    return PriceColumns(
        path=path,
        columns={name: table[names[place]] for name, place in wanted.items()},
        line=np.delete(line, np.array(broken.lines, dtype=np.int64) - 2),
        broken=broken.rows,
        broken_omitted=len(broken.lines) - len(broken.rows),
    )


def _explain(path: Path, header: list[str], error: pa.ArrowInvalid) -> Exception:
    place = re.search(r"column #(\d+).*invalid UTF8", str(error), re.DOTALL)
    return error if place is None else WrongEncoding(path, f"column {header[int(place.group(1))]!r}")


def _read_header(path: Path) -> list[str]:
    with pa.input_stream(str(path), compression="detect") as stream:
        beginning: bytes = stream.read(_HEADER_BYTES)
    line = beginning.splitlines()[0] if beginning else b""
    if not line.strip():
        raise UnreadableFile(path, "it has no header")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongEncoding(path, "the header") from error
    if "\x00" in text:
        raise WrongEncoding(path, "the header")
    return [name.strip(' \t\r"') for name in text.split(",")]


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
    table = parquet.read_table(path, columns=list(actual.values()), filters=condition)
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
