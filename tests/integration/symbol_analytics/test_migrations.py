"""What an earlier version stored goes on to be served."""

import importlib
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import httpx
import pytest

from services.symbol_analytics.core.columns import FROM_PRICES, METRICS
from services.symbol_analytics.main import build
from shared.bus.ddl import BUS_TABLES
from shared.db.migrate import migrate
from shared.paths import API
from shared.prices.ddl import PRICE_TABLES
from shared.service import build_app
from tests.integration.symbol_analytics.conftest import FACTOR_SET
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase, provisioned_database
from tests.support.runs import SESSION
from tests.support.stack import Servers

SERVICE = "symbol_analytics"
EARLIER = date(2025, 3, 1)


@pytest.fixture
async def database(postgres: Servers) -> AsyncIterator[ServiceDatabase]:
    """A database of the first version, in which a symbol has a beta of its provider, one metric and one factor."""
    first = importlib.import_module("services.symbol_analytics.migrations.0001_first")
    async with provisioned_database(postgres, [SERVICE]) as made:
        connection = await asyncpg.connect(made.url(SERVICE).get_secret_value())
        for statement in (*BUS_TABLES, *PRICE_TABLES, *first.TABLES):
            await connection.execute(statement)
        await connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", first.revision)
        await connection.execute("INSERT INTO profiles VALUES ('OLD', 1.25, $1, 'test')", EARLIER)
        await connection.execute("INSERT INTO factor_sets (definition) VALUES ($1)", FACTOR_SET.model_dump_json())
        await connection.execute(
            "INSERT INTO symbol_metrics (symbol, as_of, revision, digest, run_id, price_return_1d, unavailable) "
            "VALUES ('OLD', $1, 1, '', gen_random_uuid(), 0.5, (SELECT jsonb_object_agg(name, "
            "'[\"MISSING_DATA\", \"none\"]'::jsonb) FROM unnest($2::text[]) name WHERE name <> 'price_return_1d'))",
            SESSION,
            list(FROM_PRICES),
        )
        await connection.execute(
            "INSERT INTO symbol_factors (symbol, as_of, factor, revision, digest, run_id, factor_set_id, method, beta, "
            "capped, n_observations) "
            "VALUES ('OLD', $1, 'market_beta', 1, '', gen_random_uuid(), 1, 'ols', 0.9, false, 90)",
            SESSION,
        )
        await connection.close()
        yield made


async def test_rows_of_the_first_version_are_served_and_say_what_they_do_not_have(database: ServiceDatabase) -> None:
    await migrate(SERVICE, database.url(SERVICE))

    service = build(database.common)
    transport = httpx.ASGITransport(app=build_app([service], database.common, title=SERVICE))
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://analytics{API}", headers=headers) as client:
        shown = (await client.get("/symbols/OLD", params={"as_of": str(SESSION)})).raise_for_status().json()
    await service.engine.dispose()

    metrics = shown["metrics"]
    assert metrics["code_version"] == shown["factors"]["code_version"] == 1
    assert metrics["metrics"]["price_return_1d"]["value"] == 0.5
    assert metrics["metrics"]["price_return_1d"]["first_session"] is None
    assert {metrics["metrics"][name]["detail"] for name in METRICS[len(FROM_PRICES) :]} == {
        "stored before this number was computed"
    }
    assert metrics["betas"]["market_beta"]["reason"] == "MISSING_DATA"


async def test_beta_of_the_first_version_is_kept_with_its_day_and_source(database: ServiceDatabase) -> None:
    await migrate(SERVICE, database.url(SERVICE))

    connection = await asyncpg.connect(database.url(SERVICE).get_secret_value())
    figures = await connection.fetch("SELECT symbol, figure, counts_from, value, source FROM profile_figures")
    await connection.close()

    assert [tuple(row) for row in figures] == [("OLD", "beta", EARLIER, 1.25, "test")]
