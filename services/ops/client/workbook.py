"""Tables as a workbook of a spreadsheet: numbers, dates and amounts as such, and text never as a formula."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import xlsxwriter

from services.ops.errors import Misused

# What a sheet takes, its header among them.
MAX_ROWS: Final = 1_048_576
_FORMATS: Final[Mapping[type, str]] = MappingProxyType(
    {date: "yyyy-mm-dd", datetime: "yyyy-mm-dd hh:mm:ss", Decimal: "#,##0.00"}
)


class Workbook:
    """Writes pages of a table to one sheet, row by row."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        # In memory is one row at a time; times of a spreadsheet have no zone.
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "remove_timezone": True})
        self._sheet = self._book.add_worksheet("results")
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_row(0, 0, schema.names, self._book.add_format({"bold": True}))
        formats = {kind: self._book.add_format({"num_format": form}) for kind, form in _FORMATS.items()}
        sheet = self._sheet
        self._cells: dict[type, Callable[[int, int, Any], object]] = {
            str: sheet.write_string,
            bool: sheet.write_boolean,
            int: sheet.write_number,
            float: sheet.write_number,
            Decimal: lambda row, column, cell: sheet.write_number(row, column, float(cell), formats[Decimal]),
            date: lambda row, column, cell: sheet.write_datetime(row, column, cell, formats[date]),
            datetime: lambda row, column, cell: sheet.write_datetime(row, column, cell, formats[datetime]),
        }
        self._next = 1

    def write_table(self, table: pa.Table) -> None:
        """Append a page.

        Raises
        ------
        Misused
            If a sheet does not take so many rows.
        """
        if self._next + table.num_rows > MAX_ROWS:
            raise Misused(f"a sheet has no more than {MAX_ROWS:,} rows: take fewer sessions, or .parquet or .csv")
        for row in table.to_pylist():
            for column, cell in enumerate(row.values()):
                if cell is not None:
                    self._cells[type(cell)](self._next, column, cell)
            self._next += 1

    def close(self) -> None:
        """Write the file."""
        self._book.close()
