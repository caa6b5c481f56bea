"""Writing results to a file that a notebook or a spreadsheet reads, page by page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
from pyarrow import csv, parquet

from services.ops.client.workbook import Workbook
from services.ops.errors import Misused

Entry = TypeVar("Entry")
Row = dict[str, object]

# A spreadsheet runs a cell that begins like this; a leading apostrophe makes it text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Export(Generic[Entry]):
    """One kind of result as a table.

    Attributes
    ----------
    schema : pyarrow.Schema
        Its columns.
    rows : callable
        The rows of one entry of the API.
    """

    schema: pa.Schema
    rows: Callable[[Entry], Iterable[Row]]


def write_export(export: Export[Entry], pages: Iterable[list[Entry]], out: Path) -> int:
    """Write every page and return the number of rows; the file appears when it is complete.

    Raises
    ------
    Misused
        If the name ends with none of .csv, .parquet and .xlsx, or the file cannot be written.
    """
    partial = out.with_name(f".{out.name}.partial")
    try:
        writer = _open(export.schema, out.suffix, partial)
        try:
            written = sum(_write(writer, table) for table in _tables(export, pages, as_text=out.suffix == ".csv"))
        finally:
            writer.close()
        partial.replace(out)
    except OSError as error:
        raise Misused(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _open(schema: pa.Schema, suffix: str, path: Path) -> _Writer:
    writers: dict[str, Callable[..., _Writer]] = {
        ".csv": csv.CSVWriter,
        ".parquet": parquet.ParquetWriter,
        ".xlsx": Workbook,
    }
    if suffix in writers:
        return writers[suffix](path, schema)
    raise Misused(f"--out must end with .csv, .parquet or .xlsx, was {suffix or 'without an ending'}")


def _tables(export: Export[Entry], pages: Iterable[list[Entry]], *, as_text: bool) -> Iterator[pa.Table]:
    for page in pages:
        rows = [row for entry in page for row in export.rows(entry)]
        table = pa.Table.from_pylist(rows, schema=export.schema)
        yield without_formulas(table) if as_text else table


def _write(writer: _Writer, table: pa.Table) -> int:
    writer.write_table(table)
    rows: int = table.num_rows
    return rows


def without_formulas(table: pa.Table) -> pa.Table:
    """Return the table with an apostrophe before every text that a spreadsheet would run."""
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = [_as_text(cell) for cell in table.column(position).to_pylist()]
            table = table.set_column(position, field, pa.array(cells, type=field.type))
    return table


def _as_text(cell: str | None) -> str | None:
    return f"'{cell}" if cell is not None and cell.startswith(_FORMULA_STARTS) else cell
