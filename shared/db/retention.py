"""How long what nobody needs is kept: messages that were delivered, and revisions that others have superseded.

What is forgotten is said: a table of heads says in its comment from which instant on it can tell what was known.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.tables import Results

_DELIVERED: Final = (
    "DELETE FROM outbox_default WHERE published_at < $1",
    "DELETE FROM inbox WHERE received_at < $1",
    "DELETE FROM fan_in_part p USING fan_in f WHERE (p.stage, p.run_id) = (f.stage, f.run_id) AND f.fired_at < $1",
    "DELETE FROM fan_in WHERE fired_at < $1",
)
# Of a run that others wait for and that nothing has come of: a row to lock, which who waits makes again.
_AWAITED: Final = "DELETE FROM fan_in WHERE run = 'null' AND deadline_at = 'infinity' AND fired_at IS NULL"
# Services that are given no work know of none. What was to be done for it is forgotten, too.
_CANCELLED: Final = "DELETE FROM cancelled_runs WHERE noted_at < $1"
_HAS_CANCELLED: Final = "SELECT to_regclass('cancelled_runs') IS NOT NULL"
_DAYS: Final = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_[0-9]{8}$' AND c.relname < $1"
)
# So many at a time: messages wait for no more than that.
_REVISIONS: Final = 5_000
_SAID: Final = "superseded revisions are kept from "
_FIND_FIRST_KNOWN: Final = sa.text(
    f"""
    SELECT max(CAST(substr(said, length('{_SAID}') + 1) AS timestamptz))
    FROM (SELECT obj_description(oid, 'pg_class') AS said FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r') d
    WHERE starts_with(said, '{_SAID}')
    """
)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a service keeps what it does not need to go on.

    Attributes
    ----------
    log_days : int
        Messages after they were published or taken in, barriers after they fired, and that a run was cancelled.
    superseded_days : int or None
        Revisions of results after another one took their place; None: for ever.
    results : tuple of Results
        Which tables have revisions.
    """

    log_days: int = 30
    superseded_days: int | None = None
    results: tuple[Results, ...] = ()

    async def forget(self, connection: Any, now: datetime) -> bool:
        """Delete a bounded part of what is older, on a connection of the driver to the schema; tell if it was all."""
        oldest = now - timedelta(days=self.log_days)
        await _drop_days(connection, before=oldest.astimezone(UTC).date())
        for statement in _DELIVERED:
            await connection.execute(statement, oldest)
        await connection.execute(_AWAITED)
        if await connection.fetchval(_HAS_CANCELLED):
            await connection.execute(_CANCELLED, oldest)
        if self.superseded_days is None:
            return True
        since = now - timedelta(days=self.superseded_days)
        revised = [results for results in self.results if results.revised]
        gone = [await _forget_superseded(connection, results, since) for results in revised]
        return not any(gone)


async def _drop_days(connection: Any, *, before: date) -> None:
    for record in await connection.fetch(_DAYS, f"outbox_{before:%Y%m%d}"):
        pending = f"SELECT EXISTS (SELECT 1 FROM {record['relname']} WHERE published_at IS NULL AND error IS NULL)"
        if not await connection.fetchval(pending):
            await connection.execute(f"DROP TABLE {record['relname']}")


async def _forget_superseded(connection: Any, results: Results, since: datetime) -> int:
    # It is said before it is so: whoever asks for what was known earlier is told that it may be gone.
    said = f"{_SAID}{since.astimezone(UTC).isoformat()}"
    await connection.execute(f"COMMENT ON TABLE {results.head} IS '{said}'")
    count: int = await connection.fetchval(_superseded(results), since, _REVISIONS)
    return count


def _superseded(results: Results) -> str:
    """Return the statement that deletes some revisions with what belongs to them, and tells how many."""
    key = (*results.key, "revision")
    same = " AND ".join(f"later.{column} = h.{column}" for column in results.key)
    gone = " AND ".join(f"t.{column} = g.{column}" for column in key)
    details = "".join(f", of_{table} AS (DELETE FROM {table} t USING gone g WHERE {gone})" for table in results.details)
    # Few have a second revision: those are looked for, and by the key the ones that they took the place of.
    return f"""
        WITH old AS (
            SELECT {", ".join(f"h.{column}" for column in key)} FROM {results.head} later
            JOIN {results.head} h ON {same} AND h.revision < later.revision
            WHERE later.revision > 1 AND later.known_at < $1 LIMIT $2
        ), gone AS (
            DELETE FROM {results.head} t USING old g WHERE {gone} RETURNING {", ".join(f"t.{name}" for name in key)}
        ){details}
        SELECT count(*) FROM gone
    """


async def find_first_known(connection: AsyncConnection) -> datetime | None:
    """Return from which instant on a service can tell what it knew then; None: ever."""
    found: datetime | None = await connection.scalar(_FIND_FIRST_KNOWN)
    return found
