"""Bulk writes and reads: COPY into a staging table and one statement from there; never row by row."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from asyncpg import UniqueViolationError
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.binary import NumberRows, copy_data, listed
from shared.errors import TransientError

Columns = Mapping[str, Sequence[Any] | NDArray[Any]]

_COPY_HEADER_BYTES = 19  # signature, flags, header extension length
_COPY_TRAILER_BYTES = 2


@dataclass(frozen=True, slots=True)
class Replacing:
    """When a row takes the place of the one that is there with the same key.

    Attributes
    ----------
    compare : tuple of str or None
        Columns in which a difference counts; None: all but the key.
    position : str or None
        The column that says how new a row is: an older one replaces none.
    touch : mapping of column to SQL expression
        Set beside the columns.
    """

    compare: tuple[str, ...] | None = None
    position: str | None = None
    touch: Mapping[str, str] = field(default_factory=dict)

    def action(self, columns: Sequence[str]) -> str:
        """Return what is done about a row that is there, `columns` being those beside the key."""
        compared = columns if self.compare is None else self.compare
        assignments = [f"{name} = excluded.{name}" for name in columns]
        assignments += [f"{name} = {expression}" for name, expression in self.touch.items()]
        mine, new = (", ".join(f"{alias}.{name}" for name in compared) for alias in ("t", "excluded"))
        conditions = [f"({mine}) IS DISTINCT FROM ({new})"]
        conditions += [f"t.{self.position} <= excluded.{self.position}"] if self.position else []
        return f"UPDATE SET {', '.join(assignments)} WHERE {' AND '.join(conditions)}"


WHERE_DIFFERENT: Final = Replacing()


async def _driver(connection: AsyncConnection) -> Any:
    raw = await connection.get_raw_connection()
    return raw.driver_connection


def one_below_another(parts: Sequence[Columns]) -> Columns:
    """Return the rows of the first, below them those of the next, all of the same columns."""
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(columns: Sequence[Sequence[Any] | NDArray[Any]]) -> Sequence[Any]:
    numbers = [column for column in columns if isinstance(column, NumberRows)]
    if len(numbers) == len(columns):
        return NumberRows.one_below_another(numbers)
    return list(chain.from_iterable(map(listed, columns)))


async def copy_aside(connection: AsyncConnection, table: str, columns: Columns) -> str:
    """COPY the columns into a session-private copy of `table` that empties itself at commit; return its name."""
    staging = f"staging_{table}"
    await connection.execute(
        # Without constraints: what the table requires is seen to by what fills its rows in, and there.
        sa.text(
            f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DELETE ROWS AS SELECT * FROM {table} WITH NO DATA"
        )
    )
    await copy_in(connection, staging, columns)
    return staging


async def copy_in(connection: AsyncConnection, table: str, columns: Columns) -> None:
    """COPY the columns into a table."""
    data = copy_data(columns, await _kinds(connection, table, tuple(columns)))
    driver = await _driver(connection)
    await driver.copy_to_table(table, source=memoryview(data), columns=list(columns), format="binary")


async def _kinds(connection: AsyncConnection, table: str, columns: tuple[str, ...]) -> Sequence[str]:
    """Return the types of columns; a connection is asked once."""
    raw = await connection.get_raw_connection()
    known: dict[tuple[str, tuple[str, ...]], Sequence[str]] = raw.info.setdefault("kinds of columns", {})
    if (table, columns) not in known:
        statement = await (await _driver(connection)).prepare(f"SELECT {', '.join(columns)} FROM {table}")
        known[table, columns] = [attribute.type.name for attribute in statement.get_attributes()]
    return known[table, columns]


async def upsert(
    connection: AsyncConnection,
    table: str,
    columns: Columns,
    *,
    key: Sequence[str],
    replacing: Replacing | None = WHERE_DIFFERENT,
) -> int:
    """Insert the rows, or replace those with the same key that differ; unchanged rows stay untouched.

    Parameters
    ----------
    connection : AsyncConnection
        In a transaction.
    table : str
        Table in the service's schema.
    columns : mapping of name to sequence
        One entry a row, all of one length; no two rows with the same key.
    key : sequence of str
        The natural key, a unique constraint of the table.
    replacing : Replacing or None
        When a row replaces another one; None: never.

    Returns
    -------
    int
        Rows written.
    """
    if not _length(columns):
        return 0
    staging = await copy_aside(connection, table, columns)
    names = ", ".join(columns)
    action = replacing.action([name for name in columns if name not in key]) if replacing else "NOTHING"
    # Sorted by key, so that two writers lock the rows in the same order.
    statement = (
        f"INSERT INTO {table} AS t ({names}) SELECT {names} FROM {staging} ORDER BY {', '.join(key)} "
        f"ON CONFLICT ({', '.join(key)}) DO {action}"
    )
    return await _run_staged(connection, staging, statement)


async def append_revisions(connection: AsyncConnection, table: str, columns: Columns, *, key: Sequence[str]) -> int:
    """Insert each row as the next revision of its key, unless the latest revision has the same digest.

    The table has the columns of `key`, then ``revision``, and ``digest``; (*key*, revision) is unique.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    TransientError
        If somebody else wrote the same revision meanwhile; tried again, it will be compared with.
    """
    count = _length(columns)
    if not count:
        return 0
    try:
        if not await _any_of(connection, table, columns, key):
            # A night's rows are first revisions, which need no comparison and no second copy.
            await copy_in(connection, table, {**columns, "revision": [1] * count})
            return count
        return await _append_changed(connection, table, columns, key)
    except (UniqueViolationError, IntegrityError) as error:
        raise TransientError(f"{table} was revised by somebody else") from error


async def _any_of(connection: AsyncConnection, table: str, columns: Columns, key: Sequence[str]) -> bool:
    # The first two columns of the key, the session and the subject, are enough to find what there is.
    wanted = {name: sorted(set(listed(columns[name]))) for name in key[:2]}
    conditions = " AND ".join(f"{name} = ANY(:{name})" for name in wanted)
    found = await connection.scalar(sa.text(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {conditions})"), wanted)
    return bool(found)


async def _append_changed(connection: AsyncConnection, table: str, columns: Columns, key: Sequence[str]) -> int:
    staging = await copy_aside(connection, table, {**columns, "revision": [0] * _length(columns)})
    names = ", ".join(columns)
    staged = ", ".join(f"s.{name}" for name in columns)
    same_key = " AND ".join(f"t.{name} = s.{name}" for name in key)
    statement = (
        f"INSERT INTO {table} ({names}, revision) "
        f"SELECT {staged}, coalesce(latest.revision, 0) + 1 FROM {staging} s "
        f"LEFT JOIN LATERAL (SELECT t.revision, t.digest FROM {table} t WHERE {same_key} "
        f"ORDER BY t.revision DESC LIMIT 1) latest ON true "
        f"WHERE latest.digest IS DISTINCT FROM s.digest ORDER BY {', '.join(f's.{name}' for name in key)}"
    )
    return await _run_staged(connection, staging, statement)


async def _run_staged(connection: AsyncConnection, staging: str, statement: str) -> int:
    result = await connection.execute(sa.text(statement))
    await connection.execute(sa.text(f"TRUNCATE {staging}"))
    return result.rowcount


async def copy_out(connection: AsyncConnection, query: str, fields: Sequence[tuple[str, str]]) -> NDArray[np.void]:
    """Read a query of fixed-width, non-null columns as a structured array, without a Python object per row.

    Parameters
    ----------
    connection : AsyncConnection
        Any.
    query : str
        SELECT whose columns are int4 (``>i4``), int8 (``>i8``) or float8 (``>f8``), none of them null.
    fields : sequence of (name, numpy big-endian type)
        The columns in order.

    Returns
    -------
    structured ndarray of shape (n_rows,)
    """
    buffer = io.BytesIO()
    driver = await _driver(connection)
    await driver.copy_from_query(query, output=buffer, format="binary")
    layout: list[tuple[str, str]] = [("_width", ">i2")]
    for name, kind in fields:
        layout += [(f"_{name}", ">i4"), (name, kind)]
    body = buffer.getbuffer()[_COPY_HEADER_BYTES : buffer.tell() - _COPY_TRAILER_BYTES]
    return np.frombuffer(body, dtype=np.dtype(layout))


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))
