"""The scripts of a backup: what they dump comes back as it was, owners included, or not at all."""

import os
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from services.ops.hosting.embedded.account import postgres_account
from services.ops.hosting.embedded.postgres_binaries import find_binaries
from shared.contracts.services import SERVICES
from shared.db.migrate import migrate, provision
from tests.support.databases import SERVICE_PASSWORD, ServiceDatabase, common_settings, migrated_database
from tests.support.stack import Servers, fresh_database, run_postgres

DEPLOY = Path(__file__).parents[3] / "deploy"
TOOLS = find_binaries(postgres_account(), major=None).directory


@pytest.fixture(scope="module")
async def source(postgres: Servers) -> AsyncIterator[ServiceDatabase]:
    async with migrated_database(postgres, SERVICES) as database:
        await _execute(
            database.admin_url,
            """
            INSERT INTO portfolio.portfolios (portfolio_id, name, opened_on, opening_equity, currency)
                SELECT gen_random_uuid(), 'book ' || n, '2025-03-14', n * 1000.01, 'USD' FROM generate_series(1, 50) n;
            INSERT INTO risk.outbox (topic, key, value, headers)
                SELECT 'portfolios.assessed', n::text, convert_to('{"é": 1}', 'UTF8'), '{}' FROM generate_series(1, 9) n
            """,
        )
        yield database


@pytest.fixture
async def empty() -> AsyncIterator[Servers]:
    """A server that has never heard of us."""
    async with run_postgres() as servers:
        yield servers


async def test_backup_comes_back_into_an_empty_server_and_migrate_makes_it_usable(
    source: ServiceDatabase, empty: Servers, tmp_path: Path
) -> None:
    said = _run("backup.sh", tmp_path, DATABASE_URL=source.admin_url)
    assert _dumps(said) == ["shared"]

    _run("restore.sh", tmp_path, DATABASE_URL=empty.database_url)

    before = await _content(source.admin_url)
    assert len(before) > 50
    assert await _content(empty.database_url) == before
    assert _definitions(empty.database_url) == _definitions(source.admin_url)
    restored = ServiceDatabase(empty.database_url, common_settings(empty, empty.database_url))
    await provision(restored.common.database_url, dict.fromkeys(SERVICES, SERVICE_PASSWORD))
    for service in SERVICES:
        await migrate(service, restored.url(service))
    assert await _content(empty.database_url) == before


async def test_service_with_a_server_of_its_own_has_a_dump_of_its_own_and_the_scheduler_is_the_first(
    source: ServiceDatabase, empty: Servers, tmp_path: Path
) -> None:
    apart = ("risk", "scheduler")
    urls = {f"{name.upper()}_DATABASE_URL": source.url(name).get_secret_value() for name in apart}
    said = _run("backup.sh", tmp_path, DATABASE_URL=source.admin_url, **urls)
    assert _dumps(said) == ["scheduler", "shared", "risk"]

    async with fresh_database(empty.database_url) as admin_url:
        elsewhere = ServiceDatabase(admin_url, common_settings(empty, admin_url))
        for name in apart:
            await _execute(admin_url, f"CREATE ROLE {name} LOGIN PASSWORD '{SERVICE_PASSWORD.get_secret_value()}'")
            await _execute(admin_url, f"GRANT CREATE ON DATABASE {make_url(admin_url).database} TO {name}")
        urls = {f"{name.upper()}_DATABASE_URL": elsewhere.url(name).get_secret_value() for name in apart}
        _run("restore.sh", tmp_path, DATABASE_URL=empty.database_url, **urls)

        before, of_two, of_others = [await _content(url) for url in (source.admin_url, admin_url, empty.database_url)]
        assert {**of_two, **of_others} == before
        assert {name.partition(".")[0] for name in of_two} == set(apart)


async def test_restore_is_all_or_nothing_where_something_is_there(
    source: ServiceDatabase, empty: Servers, tmp_path: Path
) -> None:
    _run("backup.sh", tmp_path, DATABASE_URL=source.admin_url)
    await _execute(empty.database_url, "CREATE SCHEMA risk")

    failed = _call("restore.sh", tmp_path, DATABASE_URL=empty.database_url)

    assert failed.returncode != 0
    assert 'schema "risk" already exists' in failed.stderr
    assert await _content(empty.database_url) == {}


def test_backup_that_is_broken_off_leaves_no_dump(tmp_path: Path) -> None:
    assert _call("backup.sh", tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing").returncode != 0
    assert list(tmp_path.glob("*.dump")) == []


@pytest.mark.parametrize(
    ("script", "files", "said"),
    [
        ("backup.sh", (), "DATABASE_URL must be set: it is the server of scheduler market_data"),
        ("restore.sh", (), "has no backup: what deploy/backup.sh writes ends with .dump"),
        ("restore.sh", ("shared",), "DATABASE_URL must be set: it is the server that"),
        ("restore.sh", ("risk",), "RISK_DATABASE_URL must be set: it is the server that"),
        ("restore.sh", ("mine",), "mine.dump is of no service"),
    ],
)
def test_script_that_lacks_something_says_what(tmp_path: Path, script: str, files: tuple[str, ...], said: str) -> None:
    for name in files:
        (tmp_path / f"{name}.dump").touch()

    done = _call(script, tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def _call(script: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    path = f"{TOOLS}:{os.environ['PATH']}"
    return subprocess.run(
        [DEPLOY / script, directory],
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _run(script: str, directory: Path, **environment: str) -> str:
    done = _call(script, directory, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _dumps(said: str) -> list[str]:
    """Return the names of the files that a backup says it has written, in its order."""
    return re.findall(r"(\w+)\.dump has", said)


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _content(url: str) -> Mapping[str, str]:
    """Return a digest of every table of the services."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = ANY ($1)",
            list(SERVICES),
        )
        return {
            table["name"]: await connection.fetchval(
                f"SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {table['name']} t"
            )
            for table in tables
        }
    finally:
        await connection.close()


def _definitions(url: str) -> list[str]:
    """Return what makes the schemas: tables, indexes, functions, owners and rights."""
    command = [str(TOOLS / "pg_dump"), "--schema-only", *(f"--schema={service}" for service in SERVICES), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Each dump has a key of its own in it.
    return [line for line in said.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
