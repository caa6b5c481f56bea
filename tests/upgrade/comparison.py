"""What two databases have computed, row by row, and what may differ between them: what an older code has computed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from shared.contracts.services import SERVICES
from tests.support.digests import RESULTS

# Whose code makes a table's numbers; the bars are what a provider said.
MADE_BY: Final[Mapping[str, str]] = {
    "symbol_estimates": "symbol_analytics",
    "symbol_metrics": "symbol_analytics",
    "snapshots": "portfolio",
    "position_values": "portfolio",
    "assessments": "risk",
    "portfolio_factors": "risk",
    "portfolio_measures": "risk",
    "portfolio_sectors": "risk",
}
_COLUMNS: Final = """
    SELECT table_schema AS schema, table_name AS name, array_agg(column_name::text ORDER BY ordinal_position) AS columns
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE' AND table_name <> ALL($2)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
# Goes on while messages come and go; the last is what a migration is about.
_OF_THE_BUS: Final = ("inbox", "outbox", "outbox_default", "alembic_version")
_SHOWN: Final = 3

Rows = Mapping[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Contents:
    """The columns of a table, and a digest of what is in them."""

    columns: tuple[str, ...]
    digest: str


@dataclass(slots=True)
class Compared:
    """How the rows of a table go with those of another database.

    Attributes
    ----------
    table : str
        Its name among the results.
    equal : int
        Rows that both have.
    of_older_code : int
        Rows that only one has, of sessions that an older version of the code has computed.
    others : list of str
        All the other rows that only one has: there should be none.
    """

    table: str
    equal: int = 0
    of_older_code: int = 0
    others: list[str] = field(default_factory=list)


def compared(ours: Rows, theirs: Rows, *, older: Iterable[str], sessions: Iterable[str]) -> list[Compared]:
    """Compare the rows of each table.

    Parameters
    ----------
    ours, theirs : mapping of str to Counter
        Rows as JSON, by table.
    older : iterable of str
        Services whose numbers an older version of their code computes in another way.
    sessions : iterable of str
        The sessions that the older version has computed, or may have.
    """
    return [
        _compared(table, ours[table], theirs[table], _allowed(MADE_BY.get(table), set(older), set(sessions)))
        for table in theirs
    ]


def newest(rows: Rows) -> dict[str, Counter[str]]:
    """Return the rows that count now: of what was computed again, those of the last revision, whichever that is."""
    return {table: _newest(of_table) if table in MADE_BY else of_table for table, of_table in rows.items()}


def _newest(rows: Counter[str]) -> Counter[str]:
    said = [json.loads(row) for row in rows.elements()]
    last: dict[tuple[Any, ...], int] = {}
    for row in said:
        last[_subject(row)] = max(row.get("revision", 0), last.get(_subject(row), 0))
    current = [row for row in said if row.get("revision", 0) == last[_subject(row)]]
    return Counter(json.dumps({**row, "revision": None}, sort_keys=True) for row in current)


def _subject(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("portfolio_id", "symbol", "as_of"))


def _allowed(service: str | None, older: set[str], sessions: set[str]) -> set[str]:
    # A book's risk is of what its symbols and its value were said to be.
    reads = {"risk": {"risk", "portfolio", "symbol_analytics"}, "portfolio": {"portfolio"}}
    sources = reads.get(service or "", {service or ""})
    return sessions if sources & older else set()


def _compared(table: str, ours: Counter[str], theirs: Counter[str], allowed: set[str]) -> Compared:
    found = Compared(table, equal=(ours & theirs).total())
    for side, rows in (("after the upgrade", ours - theirs), ("undisturbed", theirs - ours)):
        for row in rows.elements():
            if _session(row) in allowed:
                found.of_older_code += 1
            else:
                found.others.append(f"{side}: {row}")
    return found


def _session(row: str) -> str | None:
    said: dict[str, Any] = json.loads(row)
    return said.get("as_of")


def report(tables: Iterable[Compared]) -> Iterable[str]:
    """Yield a line a table, and the first rows that should not be."""
    for each in tables:
        yield f"  {each.table}: {each.equal} equal, {each.of_older_code} by older code, {len(each.others)} others"
        yield from (f"    {row:.600}" for row in each.others[:_SHOWN])


async def rows_of(database_url: str) -> dict[str, Counter[str]]:
    """Return the rows of all results, by table."""
    connection = await asyncpg.connect(database_url)
    try:
        return {
            name: Counter(
                [row["line"] for row in await connection.fetch(f"SELECT r::text AS line FROM ({q}) AS q (r)")]
            )
            for name, q in RESULTS.items()
        }
    finally:
        await connection.close()


async def contents_of(
    database_url: str, only: Mapping[tuple[str, str], Contents] | None = None
) -> dict[tuple[str, str], Contents]:
    """Return what every table of the services holds; with `only`, in those columns of those tables."""
    connection = await asyncpg.connect(database_url)
    try:
        if only is None:
            there = await connection.fetch(_COLUMNS, list(SERVICES), list(_OF_THE_BUS))
            wanted = {(row["schema"], row["name"]): tuple(row["columns"]) for row in there}
        else:
            wanted = {name: contents.columns for name, contents in only.items()}
        return {name: Contents(columns, await _digest(connection, name, columns)) for name, columns in wanted.items()}
    finally:
        await connection.close()


async def _digest(connection: asyncpg.Connection, table: tuple[str, str], columns: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{column}"' for column in columns)
    lines = f'SELECT md5((ROW({listed}))::text) AS line FROM "{table[0]}"."{table[1]}"'
    found = await connection.fetchval(f"SELECT md5(coalesce(string_agg(line, '' ORDER BY line), '')) FROM ({lines}) q")
    return str(found)
