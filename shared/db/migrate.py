"""Schemas, roles and migrations: one schema, one login role and one Alembic history per service."""

from collections.abc import Sequence
from importlib.resources import files

import asyncpg
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection

from shared.db.engine import build_engine, plain_url


def quoted(identifier: str) -> str:
    """Return an SQL identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'


async def provision(admin_url: SecretStr, services: Sequence[str], password: SecretStr) -> None:
    """Create each service's login role and its schema, which nobody else may use; safe to repeat.

    Parameters
    ----------
    admin_url : SecretStr
        ``postgresql://`` URL of a role that may create roles and schemas.
    services : sequence of str
        Names of roles and schemas.
    password : SecretStr
        Password of the service roles.
    """
    connection = await asyncpg.connect(plain_url(admin_url.get_secret_value()))
    try:
        secret = await connection.fetchval("SELECT quote_literal($1)", password.get_secret_value())
        # Roles belong to the whole server: two databases provisioned at once must not race for the same role.
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('provision', 0))")
        for service in services:
            exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", service)
            verb = "ALTER" if exists else "CREATE"
            role = quoted(service)
            await connection.execute(f"{verb} ROLE {role} LOGIN PASSWORD {secret}")
            await connection.execute(f"GRANT {role} TO CURRENT_USER")
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")
            await connection.execute(f"REVOKE ALL ON SCHEMA {role} FROM PUBLIC")
            database = quoted(await connection.fetchval("SELECT current_database()"))
            await connection.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}")
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    finally:
        await connection.close()


async def migrate(service: str, url: SecretStr) -> None:
    """Bring the service's schema to the newest version, as the service's own role."""
    engine = build_engine(url, service=service, pool_size=1)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, service)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, service: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("shared.db").joinpath("alembic")))
    config.set_main_option("version_locations", str(files(f"services.{service}").joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
