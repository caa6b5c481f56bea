"""Roles, schemas, migrations and addresses."""

import asyncio
import importlib.util
from contextlib import AsyncExitStack

import asyncpg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.services import SERVICES
from shared.db.engine import build_engine
from shared.db.migrate import migrate, provision
from tests.support.databases import SERVICE_PASSWORD, ServiceDatabase, provisioned_database
from tests.support.stack import Servers, fresh_database

MIGRATED = [name for name in SERVICES if importlib.util.find_spec(f"services.{name}.migrations.0001_first")]


async def _refused(database: ServiceDatabase, statement: str, *, as_service: str) -> str:
    connection = await asyncpg.connect(database.url(as_service).get_secret_value())
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
            await connection.execute(statement)
        return str(refusal.value)
    finally:
        await connection.close()


async def test_role_of_one_service_cannot_touch_another_ones_schema(postgres: Servers) -> None:
    async with provisioned_database(postgres, ["scheduler", "risk"]) as database:
        await migrate("scheduler", database.url("scheduler"))
        for statement in (
            "SELECT * FROM scheduler.runs",
            "INSERT INTO scheduler.outbox (topic, key, value, headers) VALUES ('t', 'k', '', '{}')",
            "CREATE TABLE scheduler.mine ()",
            "DROP SCHEMA scheduler CASCADE",
        ):
            said = await _refused(database, statement, as_service="risk")
            assert "permission denied" in said or "must be owner" in said


async def test_role_of_a_service_cannot_create_in_public_or_make_roles(postgres: Servers) -> None:
    async with provisioned_database(postgres, ["risk"]) as database:
        for statement in ("CREATE TABLE public.mine ()", "CREATE SCHEMA mine", "CREATE ROLE mine", "SET ROLE postgres"):
            assert "permission denied" in await _refused(database, statement, as_service="risk")


async def test_role_with_a_wrong_password_is_refused(postgres: Servers) -> None:
    async with provisioned_database(postgres, ["risk"]) as database:
        url = database.url("risk").get_secret_value().replace(SERVICE_PASSWORD.get_secret_value(), "wrong")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url)


async def test_provision_repeated_and_for_many_databases_at_once_succeeds(postgres: Servers) -> None:
    roles = [f"racing_{index}" for index in range(4)]
    async with AsyncExitStack() as databases:
        urls = [await databases.enter_async_context(fresh_database(postgres.database_url)) for _ in range(4)]
        await asyncio.gather(*(provision(SecretStr(url), dict.fromkeys(roles, SecretStr("x'y"))) for url in urls * 2))


@pytest.mark.parametrize("service", MIGRATED)
async def test_migrations_apply_from_empty_repeatedly_and_at_once(postgres: Servers, service: str) -> None:
    async with provisioned_database(postgres, [service]) as database:
        await asyncio.gather(*(migrate(service, database.url(service)) for _ in range(3)))
        await migrate(service, database.url(service))

        connection = await asyncpg.connect(database.admin_url)
        tables = await connection.fetch("SELECT table_schema, table_name FROM information_schema.tables")
        await connection.close()
    schemas = {row["table_schema"] for row in tables} - {"pg_catalog", "information_schema"}
    assert schemas == {service}
    assert {"inbox", "outbox", "fan_in", "alembic_version"} <= {
        row["table_name"] for row in tables if row["table_schema"] == service
    }


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"])
@pytest.mark.parametrize("query", ["", "?sslmode=disable"])
async def test_engine_takes_every_form_of_a_postgresql_address(
    postgres: Servers, probe: ServiceDatabase, scheme: str, query: str
) -> None:
    url = probe.url("probe").get_secret_value().replace("postgresql://", f"{scheme}://") + query
    engine: AsyncEngine = build_engine(SecretStr(url), service="probe", pool_size=1)
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT current_schema()")) == "probe"
    await engine.dispose()
