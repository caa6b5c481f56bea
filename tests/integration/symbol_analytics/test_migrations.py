"""What an earlier version stored goes on to be served."""

import importlib
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from services.symbol_analytics.core.columns import FROM_PRICES, METRICS, VALUE_COLUMNS
from services.symbol_analytics.main import build
from shared.bus.ddl import BUS_TABLES
from shared.conventions import FACTORS, MARKET_BETA
from shared.db.alike import Alike
from shared.db.bulk import append_revisions
from shared.db.migrate import migrate
from shared.db.revisions import Step
from shared.db.unit_of_work import one_transaction
from shared.paths import API
from shared.prices.ddl import PRICE_TABLES
from shared.service import build_app
from tests.integration.symbol_analytics.conftest import FACTOR_SET
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase, provisioned_database
from tests.support.runs import SESSION
from tests.support.stack import Servers

SERVICE = "symbol_analytics"
EARLIER = date(2025, 3, 1)


async def _migrate_to(revision: str, url: SecretStr) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.db.migrate.target", lambda *_: revision)
        await migrate(SERVICE, url)


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
    factors = {entry.pop("factor"): entry for entry in shown["factors"]["factors"]}
    assert list(factors) == sorted(FACTORS)
    assert factors[MARKET_BETA]["beta"]["value"] == 0.9
    assert (factors[MARKET_BETA]["method"], factors[MARKET_BETA]["n_observations"]) == ("ols", 90)
    del factors[MARKET_BETA]
    assert {entry["beta"]["detail"] for entry in factors.values()} == {"stored before this number was computed"}


async def test_beta_of_the_first_version_is_kept_with_its_day_and_source(database: ServiceDatabase) -> None:
    await migrate(SERVICE, database.url(SERVICE))

    connection = await asyncpg.connect(database.url(SERVICE).get_secret_value())
    figures = await connection.fetch("SELECT symbol, figure, counts_from, value, source FROM profile_figures")
    await connection.close()

    assert [tuple(row) for row in figures] == [("OLD", "beta", EARLIER, 1.25, "test")]


async def test_what_old_code_writes_between_the_steps_is_the_next_revision_of_the_new_table(
    database: ServiceDatabase,
) -> None:
    url = database.url(SERVICE)
    connection = await asyncpg.connect(url.get_secret_value())

    async def old_code_writes(symbol: str, digest: bytes, *, revision: int, beta: float) -> None:
        names = (
            "symbol as_of revision digest code_version run_id factor_set_id factor method beta capped n_observations"
        )
        head = (symbol, SESSION, revision, digest, 1, uuid4(), 1)
        rows = [(*head, factor, "ridge", beta + number, False, 90) for number, factor in enumerate(FACTORS)]
        await connection.copy_records_to_table("symbol_factors", records=rows, columns=names.split())

    async def stored(symbol: str) -> list[tuple[int, bytes, float]]:
        query = "SELECT revision, digest, betas FROM symbol_estimates WHERE symbol = $1 ORDER BY revision"
        found = await connection.fetch(query, symbol)
        assert all(row["betas"] == [row["betas"][0] + number for number in range(len(FACTORS))] for row in found[1:])
        return [(row["revision"], row["digest"], row["betas"][-1]) for row in found]

    await _migrate_to("symbol_analytics_0040", url)
    await old_code_writes("OLD", b"corrected", revision=2, beta=20.0)
    await old_code_writes("NEW", b"first", revision=1, beta=1.0)
    # It does not see what new code has written meanwhile, and numbers its own as if that were not there.
    await connection.execute("UPDATE symbol_estimates SET revision = 5, digest = 'newer' WHERE symbol = 'NEW'")
    await old_code_writes("NEW", b"second", revision=2, beta=2.0)
    await old_code_writes("NEW", b"second", revision=3, beta=2.0)
    await migrate(SERVICE, url)

    assert [(revision, digest) for revision, digest, _ in await stored("OLD")] == [(1, b""), (2, b"corrected")]
    assert await stored("NEW") == [(5, b"newer", 13.0), (6, b"second", 14.0)]
    assert await connection.fetchval("SELECT to_regclass('symbol_factors')") is None
    await connection.close()


async def test_factors_that_were_revised_apart_stay_with_those_of_their_computation(database: ServiceDatabase) -> None:
    connection = await asyncpg.connect(database.url(SERVICE).get_secret_value())
    run_id = uuid4()
    # Of a second computation; a factor that it is the first one of begins with revision 1.
    for factor, revision, beta in (("market_beta", 2, 0.8), ("rate_beta", 1, 0.3)):
        await connection.execute(
            "INSERT INTO symbol_factors (symbol, as_of, factor, revision, digest, run_id, factor_set_id, method, beta, "
            "capped, n_observations) VALUES ('OLD', $1, $2, $3, 'second', $4, 1, 'ols', $5, false, 90)",
            *(SESSION, factor, revision, run_id, beta),
        )

    await migrate(SERVICE, database.url(SERVICE))

    query = "SELECT revision, betas FROM symbol_estimates ORDER BY revision"
    first, second = [
        (row["revision"], dict(zip(FACTORS, row["betas"], strict=True))) for row in await connection.fetch(query)
    ]
    assert (first[0], first[1]["market_beta"], first[1]["rate_beta"]) == (1, 0.9, None)
    assert (second[0], second[1]["market_beta"], second[1]["rate_beta"]) == (2, 0.8, 0.3)
    await connection.close()


async def test_row_that_names_what_it_says_alike_says_it_all_to_old_code_until_that_has_ended(
    database: ServiceDatabase,
) -> None:
    url = database.url(SERVICE)
    await _migrate_to("symbol_analytics_0041", url)
    connection = await asyncpg.connect(url.get_secret_value())
    before = await connection.fetch("SELECT unavailable, first_sessions, price_return_1d FROM symbol_metrics")

    async def new_code_writes(symbol: str, digest: bytes, unavailable: str) -> None:
        row: dict[str, Any] = {"symbol": [symbol], "as_of": [SESSION], "digest": [digest], "run_id": [uuid4()]}
        row |= {"code_version": [2]}
        said: dict[str, Any] = {
            "unavailable": [unavailable],
            "n_observations": [[3, 4]],
            "first_sessions": [[EARLIER, None]],
        }
        alike = Alike(table="symbol_metrics", within="as_of", columns=tuple(said))
        async with one_transaction(url, service=SERVICE) as writing:
            shortened = await alike.shorten(writing, {**row, **said})
            await append_revisions(writing, "symbol_metrics", shortened, key=("as_of", "symbol"))

    everything = json.dumps({name: ["MISSING_DATA", "none"] for name in VALUE_COLUMNS})
    await migrate(SERVICE, url, step=Step.PRE)
    await new_code_writes("NEW", b"between", everything)
    await new_code_writes("NEW", b"again", everything)
    read_by_old_code = await connection.fetch(
        "SELECT unavailable, first_sessions FROM symbol_metrics ORDER BY known_at"
    )
    await migrate(SERVICE, url, step=Step.POST)
    await new_code_writes("NEWER", b"after", everything)

    assert [row["first_sessions"] for row in read_by_old_code[1:]] == [[EARLIER, None]] * 2
    assert [json.loads(row["unavailable"]) for row in read_by_old_code[1:]] == [json.loads(everything)] * 2
    own = await connection.fetch("SELECT unavailable FROM symbol_metrics ORDER BY known_at")
    assert [row["unavailable"] is None for row in own] == [False, False, False, True]
    columns = "unavailable, n_observations, first_sessions"
    whole = await connection.fetch(f"SELECT {columns} FROM symbol_metrics_whole ORDER BY known_at")
    assert [tuple(row) for row in whole[1:]] == [tuple(whole[1])] * 3
    assert (whole[0]["unavailable"], whole[1]["n_observations"]) == (before[0]["unavailable"], [3, 4])
    assert await connection.fetchval("SELECT count(*) FROM symbol_metrics_alike") == 1
    await connection.close()
