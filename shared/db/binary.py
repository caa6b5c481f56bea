"""Columns in the binary format of COPY, made column by column.

asyncpg makes them value by value, and asks each element of each array whether it is an array itself: of a night's
Python that was a tenth.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, chain, islice, pairwise, repeat
from math import isnan
from struct import Struct
from typing import Any, Final, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, no flags, no extension
_TRAILER: Final = b"\xff\xff"
_LENGTH, _COUNT = Struct(">i"), Struct(">h")
_NULL: Final = _LENGTH.pack(-1)
_ARRAY = Struct(">6i")  # length, dimensions, flags, type of the elements, elements, first index
_ARRAY_BYTES: Final = _ARRAY.size - _LENGTH.size
_INTEGER, _BIGINT, _BOOLEAN, _UUID = Struct(">ii"), Struct(">iq"), Struct(">i?"), Struct(">i16s")
_NUMERIC = Struct(">ihhHH")  # length, digits, weight, sign, decimals
_NUMERIC_BYTES: Final = _NUMERIC.size - _LENGTH.size
_FLOAT: Final = np.dtype([("length", ">i4"), ("value", ">f8")])
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EVER: Final = {date.max: 2**31 - 1, date.min: -(2**31)}
_NO_NUMBER: Final = {"n": 0xC000, "N": 0xC000, "F": 0xD000}  # by the exponent of the Decimal; -Infinity is 0xF000
_NEGATIVE: Final = 0x4000


@dataclass(frozen=True, slots=True, eq=False)
class NumberRows(Sequence[Any]):
    """A column of arrays of numbers in one piece, NaN null: what is copied becomes no objects of Python on its way.

    Parameters
    ----------
    values : ndarray of float64, shape (n_values,)
        Those of the first row, behind them those of the next.
    counts : ndarray of int64, shape (n_rows,)
        How many each row has.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, table: NDArray[np.float64]) -> Self:
        """Return the rows of a table."""
        return cls(table.ravel(), np.full(len(table), table.shape[1]))

    @classmethod
    def of_each(cls, rows: Sequence[NDArray[np.float64]]) -> Self:
        """Return rows that each have a length of their own."""
        counts = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        return cls(np.concatenate([*rows, np.zeros(0)]), counts)

    @classmethod
    def one_below_another(cls, parts: "Sequence[NumberRows]") -> Self:
        """Return the rows of the first, below them those of the next."""
        return cls(np.concatenate([part.values for part in parts]), np.concatenate([part.counts for part in parts]))

    def tolist(self) -> list[list[float | None]]:
        """Return the rows as objects of Python."""
        values = iter(self.values.tolist())
        return [[None if isnan(value) else value for value in islice(values, count)] for count in self.counts.tolist()]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]

    def __iter__(self) -> Iterator[list[float | None]]:
        return iter(self.tolist())


def copy_data(columns: Mapping[str, Sequence[Any] | NDArray[Any]], kinds: Sequence[str]) -> bytes:
    """Return rows as COPY reads them.

    Parameters
    ----------
    columns : mapping of name to sequence
        One entry a row, all of one length; None is null, NaN is a number.
    kinds : sequence of str
        The types of the columns in order, as the catalogue has them: ``float8``, ``text[]``.

    Raises
    ------
    ValueError
        If the columns are not of one length.
    LookupError
        If there are columns of a type that is not known here.
    """
    fields = [_fields(values, kind) for values, kind in zip(columns.values(), kinds, strict=True)]
    rows = zip(repeat(_COUNT.pack(len(fields)), len(fields[0])), *fields, strict=True)
    return b"".join(chain((_HEADER,), chain.from_iterable(rows), (_TRAILER,)))


def listed(values: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    """Return a column as objects of Python."""
    return values.tolist() if isinstance(values, np.ndarray | NumberRows) else values


def _fields(values: Sequence[Any] | NDArray[Any], kind: str) -> Sequence[bytes]:
    element, is_array = kind.removesuffix("[]"), kind.endswith("[]")
    if isinstance(values, NumberRows) and kind == "float8[]":
        return _number_rows(values)
    rows = listed(values)
    if element == "float8":
        return _float_arrays(rows) if is_array else _parts(*_floats(rows), [1] * len(rows))
    encoded = _ENCODED[element]()
    return _arrays(rows, encoded, _OIDS[element]) if is_array else list(map(encoded.__getitem__, rows))


def _arrays(rows: Sequence[Sequence[Any] | None], encoded: "_Encoded", oid: int) -> list[bytes]:
    fields, last, field = [], None, _NULL
    for row in rows:
        # Many rows say the same: why there is a number, or what the columns are called.
        if row is None:
            fields.append(_NULL)
            continue
        if last is None or row != last:
            field, last = _array(b"".join(map(encoded.__getitem__, row)), len(row), oid), row
        fields.append(field)
    return fields


def _array(elements: bytes, count: int, oid: int) -> bytes:
    return _ARRAY.pack(_ARRAY_BYTES + len(elements), 1, 0, oid, count, 1) + elements


def _float_arrays(rows: Sequence[Sequence[float | None] | None]) -> list[bytes]:
    counts = [len(row or ()) for row in rows]
    elements = _parts(*_floats(list(chain.from_iterable(row or () for row in rows))), counts)
    oid = _OIDS["float8"]
    return [
        _NULL if row is None else _array(part, count, oid)
        for row, part, count in zip(rows, elements, counts, strict=True)
    ]


def _number_rows(rows: NumberRows) -> list[bytes]:
    counts, missing = rows.counts.tolist(), np.flatnonzero(np.isnan(rows.values)).tolist()
    elements = _parts(*_written(rows.values, missing), counts)
    return [_array(part, count, _OIDS["float8"]) for part, count in zip(elements, counts, strict=True)]


def _floats(values: Sequence[float | None]) -> tuple[bytes, NDArray[np.int64]]:
    """Return numbers, each behind its length, and where each of them ends."""
    numbers = np.array(values, dtype=np.float64)
    missing = [place for place in np.flatnonzero(np.isnan(numbers)).tolist() if values[place] is None]
    return _written(numbers, missing)


def _written(values: NDArray[np.float64], missing: Sequence[int]) -> tuple[bytes, NDArray[np.int64]]:
    """Return numbers as `_floats` does, null at the places that are missing."""
    records = np.empty(len(values), dtype=_FLOAT)
    records["length"] = 8
    records["value"] = values
    if not missing:
        return records.tobytes(), np.arange(1, len(values) + 1) * _FLOAT.itemsize
    records["length"][missing] = -1
    octets = records.view(np.uint8).reshape(-1, _FLOAT.itemsize)
    there = np.ones(octets.shape, dtype=np.bool_)
    there[missing, _LENGTH.size :] = False
    sizes = np.full(len(values), _FLOAT.itemsize)
    sizes[missing] = _LENGTH.size
    return octets[there].tobytes(), np.cumsum(sizes)


def _parts(octets: bytes, ends: NDArray[np.int64], counts: Iterable[int]) -> list[bytes]:
    """Return so many entries each."""
    bounds = np.concatenate([[0], ends])[list(accumulate(counts, initial=0))].tolist()
    return [octets[begin:end] for begin, end in pairwise(bounds)]


class _Encoded(dict[Any, bytes]):
    """Values behind their length, each of them made once."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        super().__init__({None: _NULL})
        self._encode = encode

    def __missing__(self, value: Any) -> bytes:
        encoded = self[value] = self._encode(value)
        return encoded


class _EncodedEach(_Encoded):
    """Values of which some are equal that are written differently."""

    def __missing__(self, value: Any) -> bytes:
        return self._encode(value)


def _text(value: str) -> bytes:
    return _octets(value.encode())


def _jsonb(value: str) -> bytes:
    return _octets(b"\x01" + value.encode())


def _octets(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _integer(value: int) -> bytes:
    return _INTEGER.pack(4, value)


def _bigint(value: int) -> bytes:
    return _BIGINT.pack(8, value)


def _boolean(value: bool) -> bytes:
    return _BOOLEAN.pack(1, value)


def _uuid(value: UUID) -> bytes:
    return _UUID.pack(16, value.bytes)


def _date(value: date) -> bytes:
    return _integer(_EVER.get(value, value.toordinal() - _FIRST_DAY))


def _timestamp(value: datetime) -> bytes:
    return _bigint((value - _EPOCH) // timedelta(microseconds=1))


def _numeric(value: Decimal | int) -> bytes:
    sign, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        return _NUMERIC.pack(_NUMERIC_BYTES, 0, 0, _NO_NUMBER[exponent] | (0x2000 if sign else 0), 0)
    decimals = max(-exponent, 0)
    # In groups of four, from the point on in both directions.
    coefficient = int("".join(map(str, digits))) * 10 ** (max(exponent, 0) + -decimals % 4)
    groups: list[int] = []
    while coefficient:
        coefficient, group = divmod(coefficient, 10_000)
        groups.append(group)
    weight = len(groups) - 1 - (decimals + 3) // 4
    length = _NUMERIC_BYTES + 2 * len(groups)
    head = _NUMERIC.pack(length, len(groups), weight, _NEGATIVE if sign else 0, decimals)
    return head + b"".join(map(_COUNT.pack, reversed(groups)))


_ENCODED: Final[Mapping[str, Callable[[], _Encoded]]] = {
    "text": lambda: _Encoded(_text),
    "jsonb": lambda: _Encoded(_jsonb),
    "bytea": lambda: _Encoded(_octets),
    "int4": lambda: _Encoded(_integer),
    "int8": lambda: _Encoded(_bigint),
    "bool": lambda: _Encoded(_boolean),
    "uuid": lambda: _Encoded(_uuid),
    "date": lambda: _Encoded(_date),
    "timestamptz": lambda: _Encoded(_timestamp),
    "numeric": lambda: _EncodedEach(_numeric),
}
_OIDS: Final = {
    "bool": 16,
    "bytea": 17,
    "int8": 20,
    "int4": 23,
    "text": 25,
    "float8": 701,
    "date": 1082,
    "timestamptz": 1184,
    "numeric": 1700,
    "uuid": 2950,
    "jsonb": 3802,
}
