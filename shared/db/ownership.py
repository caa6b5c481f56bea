"""Row-level security: what the owner of a portfolio may read, by policies of tables and the role of a transaction."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.principal import CALLER, OWNER_PATTERN, Principal

# In which table a service keeps whose the portfolios are; the others know of none.
OWNERS: Final[Mapping[str, str]] = MappingProxyType({"portfolio": "portfolios", "risk": "owners", "scheduler": "books"})
# How an owner is written down.
OWNER_COLUMN: Final = f"owner text CHECK (owner ~ '{OWNER_PATTERN}')"
# Names hold no spaces. Without the setting it is null, and nothing is theirs.
_OWNED: Final = "owner = ANY (string_to_array(current_setting('sigmasight.owners', true), ' '))"
# For one transaction; and then nothing may be read but what has a policy.
_AS_READER = sa.text("SELECT set_config('role', :role, true), set_config('sigmasight.owners', :owners, true)")
# Every table with row-level security, for the role that is subject to it: its owner is not. And views that show of
# such tables what whoever reads them may see.
_GRANT: Final = """
    DO $$
    DECLARE
        reader text := '{reader}';
        name text;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
            RETURN;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), reader);
        FOR name IN
            SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                AND (relrowsecurity OR relkind = 'v' AND reloptions @> ARRAY['security_invoker=true'])
        LOOP
            EXECUTE format('GRANT SELECT ON %I TO %I', name, reader);
        END LOOP;
    END $$
"""


def reader_of(service: str) -> str:
    """Return the role that reads for owners in a service's schema."""
    return f"{service}_reader"


def owned(table: str) -> tuple[str, str]:
    """Return the statements that show owners the rows with their name."""
    return _shown(table, _OWNED)


def belonging(table: str, key: str, to: str) -> tuple[str, str]:
    """Return the statements that show owners the rows whose key is that of a row of `to` that they see."""
    return _shown(table, f"{key} IN (SELECT {key} FROM {to})")


def everybodys(table: str) -> tuple[str, str]:
    """Return the statements that show owners every row."""
    return _shown(table, "true")


def _shown(table: str, which: str) -> tuple[str, str]:
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY readers ON {table} FOR SELECT USING ({which})",
    )


def grant_to_reader(service: str) -> str:
    """Return the statement that lets the reader of a service read what has policies, where there is the role."""
    return _GRANT.format(reader=reader_of(service))


async def read_as_caller(connection: AsyncConnection, *, service: str) -> None:
    """Have the transaction see what the caller of the request may see; outside of requests, everything."""
    caller = CALLER.get()
    if caller is not None and not caller.sees_all and service in OWNERS:
        await connection.execute(_AS_READER, {"role": reader_of(service), "owners": " ".join(caller.owners)})


async def owns_all(
    caller: Principal, portfolio_ids: Sequence[UUID], connection: AsyncConnection, *, service: str
) -> bool:
    """Tell whether every one of these is a portfolio of the caller's, asked of a connection that sees all of them."""
    query = sa.text(
        f"SELECT count(*) FROM {OWNERS[service]} WHERE portfolio_id = ANY(:portfolio_ids) AND owner = ANY(:owners)"
    )
    parameters = {"portfolio_ids": list(portfolio_ids), "owners": list(caller.owners)}
    return bool(await connection.scalar(query, parameters) == len(set(portfolio_ids)))
