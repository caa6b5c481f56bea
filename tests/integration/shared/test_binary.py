"""What COPY reads of our bytes is what it reads of asyncpg's, of every type and of arrays of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, count
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db.binary import NumberRows, copy_data
from shared.db.bulk import one_below_another
from tests.support.databases import ServiceDatabase

_NUMBERS = count()
NAN, INFINITY = float("nan"), float("inf")
NUMBERS = [
    "0",
    "0.00",
    "-0.01",
    "1",
    "-1",
    "9999",
    "10000",
    "12345678.9",
    "0.0001",
    "0.00001",
    "1E+9",
    "-1.50E-7",
    "NaN",
]
VALUES: dict[str, list[Any]] = {
    "text": ["", "plain", "null", 'Zürich {a,b} \\ "quoted"', "x" * 70_000],
    "jsonb": ['{"a": [1, null, "ü"]}', "[]"],
    "bytea": [b"", b"\x00\xff\n\\"],
    "int4": [0, -1, 2**31 - 1, -(2**31), np.int64(7)],
    "int8": [0, -1, 2**63 - 1, -(2**63)],
    "bool": [True, False],
    "float8": [0.0, -0.0, 1.1, -1e308, 5e-324, INFINITY, -INFINITY, NAN, 3],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1), UUID("6f1c7a9e-0d3b-4c55-9d7e-2f1f0c0b8a11")],
    "date": [date(2000, 1, 1), date(1999, 12, 31), date(2026, 2, 28), date.max, date.min, date(1, 1, 2)],
    "timestamptz": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC),
        datetime(2026, 7, 1, 12, 0, 0, 1, tzinfo=UTC) + timedelta(days=300),
    ],
    "numeric": [*map(Decimal, NUMBERS), Decimal("Infinity"), Decimal("-Infinity"), 17, Decimal("1.10"), Decimal("1.1")],
}


@pytest.fixture(scope="module")
async def connection(probe: ServiceDatabase) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(probe.admin_url)
    await opened.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda text: b"\x01" + text.encode(), decoder=bytes, format="binary"
    )
    yield opened
    await opened.close()


async def _octets(connection: Any, kind: str, values: Sequence[Any], *, ours: bool) -> list[bytes | None]:
    """Return what is stored of values, as the server itself sends it."""
    # Of a name the driver remembers the types.
    table = f"copied_{next(_NUMBERS)}"
    await connection.execute(f"CREATE TEMP TABLE {table} (place integer, value {kind})")
    if ours:
        data = copy_data({"place": range(len(values)), "value": values}, ["int4", kind])
        await connection.copy_to_table(table, source=memoryview(data), format="binary")
    else:
        await connection.copy_records_to_table(table, records=list(enumerate(values)))
    # A record's binary format has that of the column in it, whatever the type.
    query = f"SELECT record_send(row(value)) AS octets FROM {table} ORDER BY place"
    return [row["octets"] for row in await connection.fetch(query)]


@pytest.mark.parametrize("kind", VALUES)
async def test_values_are_those_that_the_driver_writes(connection: Any, kind: str) -> None:
    values = [None, *VALUES[kind], None, *reversed(VALUES[kind])]

    assert await _octets(connection, kind, values, ours=True) == await _octets(connection, kind, values, ours=False)


@pytest.mark.parametrize("kind", VALUES)
async def test_arrays_are_those_that_the_driver_writes(connection: Any, kind: str) -> None:
    values = VALUES[kind]
    # Rows that are equal, one behind the other and not, and that are equal to one without a value.
    rows = [values, values, [], None, [], [None], [None, *values], (*values, None), values[:1], [None, None], None]
    written = f"{kind}[]"

    assert await _octets(connection, written, rows, ours=True) == await _octets(connection, written, rows, ours=False)


async def test_columns_of_arrays_are_copied_as_lists_are(connection: Any) -> None:
    table = np.array([[1.0, np.nan, -0.0], [2.0, 3.0, 4.0]])

    arrays: dict[str, Any] = {"float8": table[0], "float8[]": table, "int8[]": np.arange(6).reshape(2, 3)}
    for kind, array in arrays.items():
        lists = array.tolist()
        assert await _octets(connection, kind, array, ours=True) == await _octets(connection, kind, lists, ours=False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_numbers_of_any_kind_are_those_that_the_driver_writes(connection: Any, data: st.DataObject) -> None:
    decimals = st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(_fits))
    floats = st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=5)
    for kind, each in (("numeric", decimals), ("float8[]", st.one_of(st.none(), floats))):
        values = data.draw(st.lists(each, max_size=8))
        assert await _octets(connection, kind, values, ours=True) == await _octets(connection, kind, values, ours=False)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.lists(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=5)), min_size=1))
async def test_rows_of_numbers_in_one_piece_are_those_that_the_driver_writes(
    connection: Any, parts: list[list[list[float | None]]]
) -> None:
    pieces = [NumberRows.of_each([np.array(row, dtype=np.float64) for row in rows]) for rows in parts]
    rows, found = list(chain.from_iterable(parts)), one_below_another([{"value": piece} for piece in pieces])["value"]

    assert isinstance(found, NumberRows)
    assert list(found) == rows
    expected = await _octets(connection, "float8[]", rows, ours=False)
    assert await _octets(connection, "float8[]", found, ours=True) == expected


async def test_rows_of_a_table_are_those_that_the_driver_writes(connection: Any) -> None:
    table = np.array([[1.0, np.nan, -0.0], [np.nan, INFINITY, 4.0]])
    rows = [[1.0, None, -0.0], [None, INFINITY, 4.0]]

    for part, expected in ((table, rows), (table[:, ::2], [row[::2] for row in rows]), (table[:0], [])):
        written = await _octets(connection, "float8[]", NumberRows.of(part), ours=True)
        assert written == await _octets(connection, "float8[]", expected, ours=False)


def _fits(number: Decimal) -> bool:
    return -1000 < int(number.as_tuple().exponent) < 1000


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        copy_data({"one": [1, 2], "other": ["a"]}, ["int4", "text"])


def test_types_that_are_not_known_are_refused() -> None:
    with pytest.raises(LookupError, match="interval"):
        copy_data({"one": [timedelta(1)]}, ["interval"])
