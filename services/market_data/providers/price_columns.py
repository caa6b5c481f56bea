"""From the columns of a price file, whatever its format, to a `PriceTable`; unreadable rows are set aside."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from services.market_data.core.findings import Rule
from services.market_data.providers.close_basis import AS_TRADED, SPLIT_ADJUSTED, as_traded
from services.market_data.providers.currency import HUNDRED, currency_of, in_hundredths
from services.market_data.providers.price_header import BASIS, CURRENCY, DATE, NUMBERS, SYMBOL
from services.market_data.providers.price_table import (
    MAX_UNREAD_ROWS,
    PRICES,
    PriceTable,
    UnreadRow,
    UnreadRows,
    canonical,
)
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray, ObjectArray

# A day, and what of a time may follow it.
_BEGINS_WITH_A_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:$|[ T])", re.ASCII)
_NEW_YORK: Final = ZoneInfo("America/New_York")
_NUMBER: Final = r"(?i)^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?(nan|inf|infinity)$"
_PADDING: Final = ' \t\r"'

_NO_DAY: Final = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True, eq=False)
class PriceColumns:
    """The columns of a price file before they are understood.

    `columns` are arrow arrays by column name, of equal length. `line` counts from 1, 0 where the format has no lines.
    `broken` are rows that could not be split into cells, `broken_omitted` the number of those that are not listed.
    `symbols` are all symbols of the file if `columns` do not hold all of its rows.
    """

    path: Path
    columns: Mapping[str, Any]
    line: NDArray[np.int32]
    broken: Sequence[UnreadRow] = ()
    broken_omitted: int = 0
    symbols: Sequence[str] = field(default=())


def build_table(source: PriceColumns, since: date) -> PriceTable:
    """Return the readable rows dated `since` or later, sorted by symbol and day."""
    symbols = _Labels.of(source.columns[SYMBOL], _symbol_key)
    days = _Labels.of(source.columns[DATE], _day)
    keys = np.array(symbols.values, dtype=object)
    day = np.array([_NO_DAY if value is None else value for value in days.values], dtype="datetime64[D]")[days.code]
    numbers = {name: _Numbers.of(source.columns[name]) for name in NUMBERS if name in source.columns}
    nothing = pa.nulls(len(day), pa.string())
    basis = _Labels.of(source.columns.get(BASIS, nothing), _basis)
    quoted = _Labels.of(source.columns.get(CURRENCY, nothing), _trimmed)

    complaints = _Complaints(source, keys[symbols.code], day)
    # a line without any content is how many files end
    blank = symbols.missing & days.missing & np.logical_and.reduce([column.missing for column in numbers.values()])
    complaints.settle(blank)
    complaints.add(symbols.missing, Rule.MISSING_VALUE, lambda _: SYMBOL)
    complaints.add(days.missing, Rule.MISSING_VALUE, lambda _: DATE)
    complaints.add(numbers["close"].missing, Rule.MISSING_VALUE, lambda _: "close")
    complaints.add(np.isnat(day), Rule.UNPARSABLE_DATE, lambda row: f"date {days.text(row)!r}")
    for name, column in numbers.items():
        complaints.add(column.bad, Rule.UNPARSABLE_NUMBER, _quote(name, column))
    known = np.array([value in {None, AS_TRADED, SPLIT_ADJUSTED} for value in basis.values])[basis.code]
    complaints.add(~known, Rule.UNKNOWN_LABEL, lambda row: f"close_basis {basis.text(row)!r}")
    known = np.array([value is None or currency_of(value) is not None for value in quoted.values])[quoted.code]
    complaints.add(~known, Rule.UNKNOWN_LABEL, lambda row: f"currency {quoted.text(row)!r}")

    keep = np.nonzero(~complaints.settled & (day >= np.datetime64(since, "D")))[0]
    names = sorted({key for key in symbols.values if key} | {canonical(symbol) for symbol in source.symbols})
    position = {name: place for place, name in enumerate(names)}
    place = np.array([position.get(key, -1) for key in symbols.values], dtype=np.int64)[symbols.code[keep]]
    keep, place = _sorted_by(place, day[keep].astype(np.int64), keep)
    bounds = np.searchsorted(place, np.arange(len(names) + 1))
    adjusted = np.array([value == SPLIT_ADJUSTED for value in basis.values])[basis.code[keep]]
    columns = {NUMBERS[name]: column.values[keep] for name, column in numbers.items()}
    small = np.array([value is not None and in_hundredths(value) for value in quoted.values])[quoted.code[keep]]
    if small.any():
        columns |= {name: np.where(small, columns[name] / HUNDRED, columns[name]) for name in PRICES if name in columns}
    return PriceTable(
        file=source.path.name,
        position=position,
        bounds=bounds,
        day=day[keep],
        columns=as_traded(columns, adjusted, bounds=bounds, day=day[keep]),
        line=source.line[keep],
        unread=complaints.unread(),
        currency=_currencies(symbols, quoted, ~complaints.settled),
    )


def _currencies(symbols: "_Labels", quoted: "_Labels", rows: BoolArray) -> dict[str, str]:
    """Return the currency of each symbol that says one on some of the rows, as the last of them says it."""
    said = np.flatnonzero(rows & ~quoted.missing)[::-1]
    codes, last = np.unique(symbols.code[said], return_index=True)
    texts = [quoted.values[code] for code in quoted.code[said[last]].tolist()]
    return {symbols.values[code]: currency_of(text) or "" for code, text in zip(codes.tolist(), texts, strict=True)}


class _Complaints:
    """Rows that cannot be read: each is reported once, under the first rule it breaks."""

    def __init__(self, source: PriceColumns, keys: ObjectArray, day: DateArray) -> None:
        self.settled = np.zeros(len(day), dtype=bool)
        self._source, self._keys, self._day = source, keys, day
        self._rows = list(source.broken)
        self._omitted = source.broken_omitted

    def settle(self, rows: BoolArray) -> None:
        self.settled |= rows

    def add(self, rows: BoolArray, rule: Rule, describe: Callable[[int], str]) -> None:
        fresh = np.nonzero(rows & ~self.settled)[0].tolist()
        self.settled |= rows
        self._omitted += max(0, len(fresh) - MAX_UNREAD_ROWS)
        for row in fresh[:MAX_UNREAD_ROWS]:
            day = self._day[row].item()
            self._rows.append(UnreadRow(self._keys[row] or None, day, rule, describe(row), int(self._source.line[row])))

    def unread(self) -> UnreadRows:
        ordered = sorted(self._rows, key=lambda row: (row.line, row.key or "", str(row.day or ""), row.detail))
        return UnreadRows(tuple(ordered[:MAX_UNREAD_ROWS]), self._omitted + max(0, len(ordered) - MAX_UNREAD_ROWS))


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """A column of few distinct texts: each is understood once. `values` has one more entry, for a missing text."""

    code: IntArray
    values: list[Any]
    texts: list[Any]
    missing: BoolArray

    @classmethod
    def of(cls, column: Any, understand: Callable[[Any], Any]) -> "_Labels":
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = column if pa.types.is_dictionary(column.type) else compute.dictionary_encode(column)
        texts = encoded.dictionary.to_pylist()
        code = compute.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)
        empty = np.array([text is None or not str(text).strip(_PADDING) for text in texts] + [True])
        values = [None if nothing else understand(text) for text, nothing in zip([*texts, None], empty, strict=True)]
        return cls(code, values, texts, empty[code])

    def text(self, row: int) -> str:
        return str(self.texts[self.code[row]])


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """A column of numbers: NaN where the cell is empty or `bad`."""

    values: FloatArray
    missing: BoolArray
    bad: BoolArray
    column: Any

    @classmethod
    def of(cls, column: Any) -> "_Numbers":
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_string(column.type):
            trimmed = compute.utf8_trim(column, _PADDING)
            column = compute.if_else(compute.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        empty = compute.is_null(column)
        numeric, bad = _as_float64(column)
        values = numeric.to_numpy(zero_copy_only=False)
        return cls(values, empty.to_numpy(zero_copy_only=False), bad, column)


def _as_float64(column: Any) -> tuple[Any, BoolArray]:
    try:
        return compute.cast(column, pa.float64()), np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        readable = compute.match_substring_regex(column, _NUMBER)
        bad: BoolArray = compute.equal(compute.fill_null(readable, True), False).to_numpy(zero_copy_only=False)
        numeric = compute.if_else(readable, column, pa.scalar(None, pa.string()))
        return compute.cast(numeric, pa.float64()), bad


def _quote(name: str, column: _Numbers) -> Callable[[int], str]:
    return lambda row: f"{name} {column.column[row].as_py()!r}"


def _symbol_key(text: Any) -> str:
    return canonical(str(text).strip(_PADDING))


def _day(value: Any) -> date | None:
    """Return the day of a row: a midnight, wherever, is the day itself, another moment that of New York."""
    if isinstance(value, date):
        return value
    text = str(value).strip(_PADDING)
    if not _BEGINS_WITH_A_DAY.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" UTC", "Z"))
    except ValueError:
        return None
    if moment.tzinfo is None or moment.time() == time.min:
        return moment.date()
    return moment.astimezone(_NEW_YORK).date()


def _trimmed(value: Any) -> str:
    return str(value).strip(_PADDING)


def _basis(value: Any) -> str:
    return re.sub(r"[^a-z]", "", str(value).lower())


def _sorted_by(place: IntArray, day: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    key = place * np.int64(1 << 32) + day
    if not np.all(key[1:] >= key[:-1]):
        order = np.argsort(key, kind="stable")
        return rows[order], place[order]
    return rows, place
