"""A second schema beside a service's own: filled anew while the first serves, compared, then taken over or dropped.

Statements name the schemas, since they are about two at once; both belong to the role that runs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.tables import DELIVERY, OF_THE_ROW, Results, Tables
from shared.errors import TransientError

# A reader that holds what the swap wants is not to wait for what the swap holds until PostgreSQL ends one of them.
_LOCK_TIMEOUT: Final = "200ms"
_LOCK_ATTEMPTS: Final = 50
_IGNORED: Final = ", ".join(f"'{column}'" for column in sorted(OF_THE_ROW))

# From which session on the second schema was filled: its comment says so, where it is not all of them.
_SEEDED: Final = "coalesce(CAST(obj_description(to_regnamespace('{schema}')) AS date), '-infinity')"

_REFERENCES = sa.text(
    """
    SELECT conrelid::regclass::text AS "table", conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint
    WHERE contype = 'f' AND connamespace = to_regnamespace(:schema)
      AND confrelid::regclass::text = ANY(:source) AND conrelid::regclass::text <> ALL(:source)
    """
)
_TABLES = sa.text(
    """
    SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:schema)
    AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
    """
)
_COLUMNS = sa.text(
    """
    SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
    """
)


class Unlike(Exception):
    """The two schemas are not of one kind, or the second one lacks what the first one has."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the two schemas do not agree on; None where one of them has none."""

    table: str
    key: Mapping[str, Any]
    live: Mapping[str, Any] | None
    beside: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Beside:
    """The schema of a service and the one beside it, on one connection.

    Parameters
    ----------
    connection : AsyncConnection
        In a transaction, as the service's role.
    service : str
        Whose, and the name of its schema.
    tables : Tables
        What its tables are.
    """

    connection: AsyncConnection
    service: str
    tables: Tables

    @property
    def schema(self) -> str:
        """The name of the second schema."""
        return beside(self.service)

    async def exists(self) -> bool:
        """Tell whether there is a second schema."""
        found = await self._scalar("SELECT to_regnamespace(:schema) IS NOT NULL", schema=self.schema)
        return bool(found)

    async def list_tables(self) -> tuple[str, ...]:
        """Return the tables of the service, without partitions."""
        return tuple((await self.connection.execute(_TABLES, {"schema": self.service})).scalars())

    async def share_source(self) -> None:
        """Leave to the first schema what no event brings: the second one reads it there.

        Raises
        ------
        Unlike
            If the first schema is of another version.
        """
        version = "SELECT array_agg(version_num ORDER BY version_num) FROM {}.alembic_version"
        if await self._scalar(version.format(self.schema)) != await self._scalar(version.format(self.service)):
            raise Unlike(f"{self.service} has tables of another version: run `sigmasight migrate` first")
        await self._run(f"SET LOCAL search_path = {self.schema}")
        source = {"schema": self.schema, "source": list(self.tables.source)}
        references = (await self.connection.execute(_REFERENCES, source)).all()
        await self._run(f"DROP TABLE {', '.join(self.tables.source)} CASCADE")
        for table in self.tables.source:
            await self._run(f"CREATE VIEW {table} AS SELECT * FROM {self.service}.{table}")
        # From here on what is referred to is the table itself.
        await self._run(f"SET LOCAL search_path = {self.service}")
        for row in references:
            await self._run(f"ALTER TABLE {self.schema}.{row.table} ADD CONSTRAINT {row.name} {row.definition}")

    async def first_of_last_sessions(self, nights: int) -> date | None:
        """Return the first of the last sessions that have results."""
        sessions = " UNION ".join(f"SELECT as_of FROM {self.service}.{each.head}" for each in self.tables.results)
        query = f"SELECT min(as_of) FROM (SELECT as_of FROM ({sessions}) s ORDER BY as_of DESC LIMIT :nights) n"
        first: date | None = await self._scalar(query, nights=nights)
        return first

    async def seed(self, *, before: date, runs: Sequence[UUID]) -> None:
        """Copy what the sessions from `before` on are computed from: all that was told, and results to go on from.

        What has been delivered is copied with it, without the barriers of the runs that are delivered again.
        """
        for table in (*self.tables.replicas, "inbox"):
            await self._copy(table)
        for results in self.tables.results:
            if results.rolled:
                for table in results.alike:
                    await self._copy(f"{table}_alike")
                for table in results.row_keys:
                    await self._copy(table, where="as_of < :before", before=before)
        for table in ("fan_in", "fan_in_part"):
            await self._copy(table, where="run_id <> ALL(:runs)", runs=list(runs))
        await self._run(f"COMMENT ON SCHEMA {self.schema} IS '{before}'")

    async def gap(self, consumers: Sequence[str]) -> list[UUID]:
        """Return the events that these consumers of the service have taken in and those beside have not."""
        query = """
            SELECT event_id FROM (
                SELECT consumer, event_id FROM {live}.inbox EXCEPT SELECT consumer, event_id FROM {beside}.inbox
            ) missing WHERE consumer = ANY(:consumers) GROUP BY event_id
        """
        found = await self._execute(query.format(live=self.service, beside=self.schema), consumers=list(consumers))
        return list(found.scalars())

    async def close_like_live(self) -> None:
        """Let the deadlines of barriers pass that the service has opened without all parts, and of no others."""
        await self._run(
            f"UPDATE {self.schema}.fan_in b SET deadline_at = CASE WHEN EXISTS (SELECT FROM {self.service}.fan_in l "
            "WHERE (l.stage, l.run_id) = (b.stage, b.run_id) AND l.fired_at IS NOT NULL) "
            "THEN timestamptz '-infinity' ELSE timestamptz 'infinity' END WHERE fired_at IS NULL"
        )

    async def differences(self, results: Results) -> list[Difference]:
        """Return the rows that differ, of the sessions that were filled, by table and key."""
        found = []
        for table, key in results.row_keys.items():
            query = sa.text(f"SELECT * FROM ({self._unlike(results, table)}) d ORDER BY {', '.join(key)}")
            for row in await self.connection.execute(query.columns(live=JSONB, beside=JSONB)):
                about = {column: getattr(row, column) for column in key}
                found.append(Difference(table, about, row.live, row.beside))
        return found

    async def promote(self, consumers: Sequence[str]) -> list[UUID]:
        """Put what was filled anew in the place of what served, unless the service has taken in more meanwhile.

        Replicas change places. Of results the first schema gets new revisions where they differ: what was known when
        stays known, and revisions that others have heard of do not come back.

        Returns
        -------
        list of UUID
            The events that are still to be taken in beside; with any, nothing was done.

        Raises
        ------
        Unlike
            If the second schema was told less than the first one.
        TransientError
            If the tables are read without a pause.
        """
        # Every handler writes into the inbox first, and every sweep into the barriers: from here on nobody is at work.
        await self._run(f"LOCK TABLE {self.service}.inbox IN EXCLUSIVE MODE")
        await self._run(f"LOCK TABLE {self.service}.fan_in IN EXCLUSIVE MODE")
        missing = await self.gap(consumers)
        if missing:
            return missing
        await self._refuse_losses()
        await self._lock_replicas()
        for results in self.tables.results:
            await (self._append(results) if results.revised else self._replace(results))
        swapped = (*self.tables.replicas, *self.tables.workings)
        await self._run(f"DROP TABLE {', '.join(f'{self.service}.{table}' for table in swapped)} CASCADE")
        for table in swapped:
            await self._run(f"ALTER TABLE {self.schema}.{table} SET SCHEMA {self.service}")
        await self.discard()
        return []

    async def discard(self) -> None:
        """Drop the second schema."""
        await self._run(f"DROP SCHEMA {self.schema} CASCADE")

    async def _refuse_losses(self) -> None:
        for table in self.tables.replicas:
            count = f"SELECT count(*) FROM {{}}.{table}"
            had, has = await self._scalar(count.format(self.service)), await self._scalar(count.format(self.schema))
            if has < had:
                raise Unlike(f"{table} has {had} rows and would have {has}: the log no longer holds all of it")

    async def _lock_replicas(self) -> None:
        swapped = ", ".join(f"{self.service}.{table}" for table in (*self.tables.replicas, *self.tables.workings))
        await self._run(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        for _ in range(_LOCK_ATTEMPTS):
            try:
                async with self.connection.begin_nested():
                    await self._run(f"LOCK TABLE {swapped} IN ACCESS EXCLUSIVE MODE")
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != "55P03":
                    raise
            else:
                await self._run("SET LOCAL lock_timeout = 0")
                return
        raise TransientError(f"the tables of {self.service} are read all the time: try again later")

    async def _append(self, results: Results) -> None:
        key = ", ".join(results.key)
        unlike = " UNION ".join(
            f"SELECT {key} FROM ({self._unlike(results, table)}) {table}" for table in results.row_keys
        )
        changed = f"changed_{results.head}"
        await self._run(
            f"CREATE TEMP TABLE {changed} ON COMMIT DROP AS "
            f"SELECT {key}, b.revision AS was, coalesce(l.revision, 0) + 1 AS now FROM ({unlike}) u "
            f"JOIN ({self._newest(self.schema, results)}) b USING ({key}) "
            f"LEFT JOIN ({self._newest(self.service, results)}) l USING ({key})"
        )
        for table in results.alike:
            names = ", ".join(await self._columns(f"{table}_alike"))
            await self._run(
                f"INSERT INTO {self.service}.{table}_alike ({names}) SELECT {names} "
                f"FROM {self.schema}.{table}_alike ON CONFLICT DO NOTHING"
            )
        for table in results.row_keys:
            columns = await self._columns(table)
            values = {"revision": "c.now", "known_at": "clock_timestamp()"}
            chosen = ", ".join(values.get(column, f"t.{column}") for column in columns)
            await self._run(
                f"INSERT INTO {self.service}.{table} ({', '.join(columns)}) SELECT {chosen} "
                f"FROM {self.schema}.{table} t JOIN {changed} c USING ({key}) WHERE t.revision = c.was"
            )

    async def _replace(self, results: Results) -> None:
        table, key = results.head, ", ".join(results.key)
        same = " AND ".join(f"t.{column} = u.{column}" for column in results.key)
        await self._run(
            f"DELETE FROM {self.service}.{table} t USING ({self._unlike(results, table)}) u "
            f"WHERE {same} AND u.beside IS NOT NULL"
        )
        columns = ", ".join(await self._columns(table))
        await self._run(
            f"INSERT INTO {self.service}.{table} ({columns}) SELECT {columns} FROM {self.schema}.{table} "
            f"ON CONFLICT ({key}) DO NOTHING"
        )

    def _unlike(self, results: Results, table: str) -> str:
        key = ", ".join(results.row_keys[table])
        live, other = (self._said(schema, results, table) for schema in (self.service, self.schema))
        return (
            f"SELECT {key}, l.said AS live, b.said AS beside FROM ({live}) l FULL JOIN ({other}) b USING ({key}) "
            f"WHERE l.said IS DISTINCT FROM b.said AND as_of >= {_SEEDED.format(schema=self.schema)}"
        )

    def _said(self, schema: str, results: Results, table: str) -> str:
        key = results.row_keys[table]
        own = ", ".join(f"'{column}'" for column in key)
        said = f"to_jsonb(t) - ARRAY[{own}, {_IGNORED}] AS said"
        newest = f" JOIN ({self._newest(schema, results)}) n USING ({', '.join(results.key)}, revision)"
        return (
            f"SELECT {', '.join(key)}, {said} FROM {schema}.{results.told(table)} t{newest if results.revised else ''}"
        )

    def _newest(self, schema: str, results: Results) -> str:
        key = ", ".join(results.key)
        return f"SELECT {key}, max(revision) AS revision FROM {schema}.{results.head} GROUP BY {key}"

    async def _copy(self, table: str, *, where: str = "true", **parameters: Any) -> None:
        columns = await self._columns(table)
        names = ", ".join(columns)
        await self._execute(
            f"INSERT INTO {self.schema}.{table} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {names} FROM {self.service}.{table} WHERE {where}",
            **parameters,
        )
        for column in columns:
            sequence = await self._scalar(
                "SELECT pg_get_serial_sequence(:table, :column)", table=f"{self.schema}.{table}", column=column
            )
            if sequence is not None:
                await self._run(f"SELECT setval('{sequence}', (SELECT max({column}) FROM {self.schema}.{table}))")

    async def _columns(self, table: str) -> list[str]:
        return list((await self.connection.execute(_COLUMNS, {"table": f"{self.schema}.{table}"})).scalars())

    async def _run(self, statement: str) -> None:
        await self.connection.execute(sa.text(statement))

    async def _execute(self, statement: str, **parameters: Any) -> sa.CursorResult[Any]:
        return await self.connection.execute(sa.text(statement), parameters)

    async def _scalar(self, query: str, **parameters: Any) -> Any:
        return await self.connection.scalar(sa.text(query), parameters)


def beside(service: str) -> str:
    """Return the name of the schema beside a service's own."""
    return f"{service}_beside"


def unclassified(found: Sequence[str], tables: Tables) -> set[str]:
    """Return which tables are nothing, or which are something and are not there."""
    return {*found} ^ {*tables.derived, *tables.source, *(DELIVERY & {*found})}
