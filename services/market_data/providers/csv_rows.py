"""Reading small CSV files row by row, where each cell that cannot be read is reported with its line."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.market_data.core.findings import Finding, Rule
from services.market_data.providers.provider import MissingColumn, UnreadableFile, WrongEncoding

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileTable(Generic[T]):
    """What a file says by canonical symbol, and what of it could not be read."""

    by_symbol: Mapping[str, T]
    findings: tuple[Finding, ...]


class CellReader:
    """Turns the cells of one file into values; what it cannot read is None and a finding.

    Attributes
    ----------
    line : int
        Of the row in hand; a quoted cell may go over several lines: the first of them.
    symbol, day
        What the row in hand is about, as far as that could be read.
    """

    def __init__(self, path: Path, provider: str) -> None:
        self.findings: list[Finding] = []
        self.line = 0
        self.symbol: str | None = None
        self.day: date | None = None
        self._path, self._provider = path, provider

    def rows(self, *required: str) -> Iterator[dict[str, str]]:
        """Yield the rows that have a symbol, by lower-case column, and go on to the next when one cannot be read.

        Raises
        ------
        UnreadableFile, WrongEncoding, MissingColumn
            If the file as a whole cannot be used.
        """
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as stream:
                yield from self._rows(csv.reader(stream), ("symbol", *required))
        except UnicodeDecodeError as error:
            raise WrongEncoding(self._path, f"byte {error.start}") from error
        except (OSError, csv.Error) as error:
            raise UnreadableFile(self._path, str(error)) from error

    def _rows(self, lines: Any, required: Sequence[str]) -> Iterator[dict[str, str]]:
        header = [name.strip().lower() for name in next(lines, [])]
        for name in required:
            if name not in header:
                raise MissingColumn(self._path, name, header)
        following = lines.line_num + 1
        for cells in lines:
            self.line, self.symbol, self.day = following, None, None
            following = lines.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                self.report(Rule.WRONG_CELL_COUNT, f"{len(cells)} cells where the header has {len(header)}")
                continue
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            self.symbol = row["symbol"] or None
            if self.symbol is None:
                self.report(Rule.MISSING_VALUE, "symbol")
                continue
            yield row

    def number(self, name: str, text: str) -> float | None:
        """Read a finite number."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        self.report(Rule.UNPARSABLE_NUMBER, f"{name} {text!r}")
        return None

    def whole(self, name: str, text: str) -> int | None:
        """Read a whole number."""
        number = self.number(name, text)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        self.report(Rule.UNUSABLE_FIELD, f"{name} {number} is no whole number")
        return None

    def date(self, name: str, text: str) -> date | None:
        """Read a date as YYYY-MM-DD."""
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.report(Rule.UNPARSABLE_DATE, f"{name} {text!r}")
            return None

    def report(self, rule: Rule, detail: str) -> None:
        """Say what is wrong with the row in hand."""
        self.findings.append(Finding(self.symbol, self.day, rule, detail, self._provider, self._path.name, self.line))
