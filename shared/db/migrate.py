"""Schemas, roles and migrations: one schema, one login role and one Alembic history per service.

Migrations have no way back: facts are not dropped by one.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import asyncpg
from alembic import command
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared.db.engine import plain_url
from shared.db.ownership import OWNERS, grant_to_reader, reader_of
from shared.db.revisions import Step, config_of, is_behind, revisions_of, target
from shared.db.unit_of_work import one_transaction

# Alembic keeps its context in module globals.
_ONE_AT_A_TIME = asyncio.Lock()
# Roles belong to the whole server, and PostgreSQL has no lock for two databases that are provisioned at once.
_ROLE_RACES = (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError)
_RACE_ATTEMPTS = 20
_LOCK_S: Final = 2
_LOCK_ATTEMPTS: Final = 30
_LOCK_NOT_AVAILABLE: Final = "55P03"


def quoted(identifier: str) -> str:
    """Return an SQL identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'


async def provision(admin_url: SecretStr, passwords: Mapping[str, SecretStr]) -> None:
    """Create each service's login role and its schema, which nobody else may use; safe to repeat.

    Parameters
    ----------
    admin_url : SecretStr
        ``postgresql://`` URL of a role that may create roles and schemas.
    passwords : mapping of str to SecretStr
        By name, which is that of the role and of the schema.
    """
    connection = await asyncpg.connect(plain_url(admin_url.get_secret_value()))
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('provision', 0))")
        for service, password in passwords.items():
            role = quoted(service)
            secret = await connection.fetchval("SELECT quote_literal($1)", password.get_secret_value())
            await _make_role(connection, service, secret)
            if service in OWNERS:
                await _let_read(connection, service)
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")
            await connection.execute(f"REVOKE ALL ON SCHEMA {role} FROM PUBLIC")
            database = quoted(await connection.fetchval("SELECT current_database()"))
            await connection.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}")
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    finally:
        await connection.close()


async def _make_role(connection: asyncpg.Connection, service: str, secret: str) -> None:
    role = quoted(service)
    await _make(connection, service, f"LOGIN PASSWORD {secret}; GRANT {role} TO CURRENT_USER")


async def _let_read(connection: asyncpg.Connection, service: str) -> None:
    """Make the role that a service takes on to read for owners: it owns nothing, and nobody logs in as it."""
    reader = reader_of(service)
    await _make(connection, reader, f"NOLOGIN; GRANT {quoted(reader)} TO {quoted(service)}")


async def _make(connection: asyncpg.Connection, name: str, attributes: str) -> None:
    for attempt in range(1, _RACE_ATTEMPTS + 1):
        exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
        verb = "ALTER" if exists else "CREATE"
        try:
            await connection.execute(f"{verb} ROLE {quoted(name)} {attributes}")
        except _ROLE_RACES:
            if attempt == _RACE_ATTEMPTS:
                raise
            await asyncio.sleep(0.01 * attempt)
        else:
            return


async def make_schema(url: SecretStr, schema: str, *, owner: str) -> None:
    """Create an empty schema that only a service may use; what is there under the name is dropped."""
    connection = await asyncpg.connect(plain_url(url.get_secret_value()))
    try:
        async with connection.transaction():
            await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
            await connection.execute(f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {quoted(owner)}")
    finally:
        await connection.close()


async def migrate(service: str, url: SecretStr, *, schema: str | None = None, step: Step | None = None) -> None:
    """Bring the service's schema, or another one of it, to the newest version, as the service's own role.

    Parameters
    ----------
    service : str
        Whose tables.
    url : SecretStr
        Where they are, for the service's role.
    schema : str, optional
        Another schema than the service's own.
    step : Step, optional
        Which part of an upgrade is done; both, where none is named.

    Raises
    ------
    UnfinishedUpgrade
        If the upgrade before has not been finished.
    DBAPIError
        If something holds a table for longer than all attempts take.
    """
    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            async with _ONE_AT_A_TIME, one_transaction(url, service=schema or service) as connection:
                # Replicas of a service that start together migrate one after the other.
                await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))"))
                # Behind a table's lock that is waited for, everybody waits who only wants to read.
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_S}s'"))
                await connection.run_sync(_upgrade, service, step)
                if service in OWNERS:
                    await connection.execute(text(grant_to_reader(service)))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or attempt == _LOCK_ATTEMPTS:
                raise
            await asyncio.sleep(_LOCK_S)
        else:
            return


async def is_migrated(service: str, url: SecretStr) -> bool:
    """Tell whether the service's tables have all that its code needs to begin."""
    async with one_transaction(url, service=service) as connection:
        return not is_behind(revisions_of(service), await connection.run_sync(_current))


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, service: str, step: Step | None) -> None:
    upto = target(revisions_of(service), _current(connection), step)
    if upto is not None:
        config = config_of(service)
        config.attributes["connection"] = connection
        command.upgrade(config, upto)
