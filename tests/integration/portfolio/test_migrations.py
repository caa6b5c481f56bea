"""What one version stores, the other one goes on from."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.portfolio.storage.snapshot_repository import PositionValueRow, SnapshotRepository
from shared.db.migrate import migrate
from shared.db.revisions import Step
from shared.db.unit_of_work import one_transaction
from tests.integration.portfolio.conftest import WEEK
from tests.support.databases import ServiceDatabase, provisioned_database
from tests.support.stack import Servers

SERVICE: Final = "portfolio"
# What a row says, but for the splits that are looked up.
COLUMNS: Final = PositionValueRow._fields[:-1]
MONEY: Final = ("market_value", "cost", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure")
SHARE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **dict.fromkeys(COLUMNS),
        "as_of": WEEK[0],
        "revision": 1,
        "symbol": "AAA",
        "sector": "Energy",
        "quantity": 10.5,
        "mark": 0.1,
        "mark_source": "CLOSE",
        "mark_age": 0,
        "oversold": False,
        "splits_known": True,
        **dict.fromkeys(MONEY, Decimal("1.05")),
        "pnl": Decimal("-0.07"),
        "dividends": Decimal("0.00"),
        "cost": Decimal("999999999999999.99"),
    }
)
UNVALUED: Final = {
    **SHARE,
    **dict.fromkeys(("market_value", "cost", "pnl", "exposure"), Decimal("0.00")),
    "value_reason": "NOT_APPLICABLE",
    "value_detail": "quoted in EUR",
    "symbol": "BBB",
}
OPTION: Final = {
    **SHARE,
    "symbol": "CCC 250620C00100000",
    "underlying": "CCC",
    "delta": 0.25,
    "volatility": 0.3,
    "implied_volatility": 0.31,
    "gamma": 0.1,
    "vega": 0.2,
    "theta": -0.3,
    "rho": 0.4,
}
WITHOUT_DELTA: Final = {
    **SHARE,
    "symbol": "DDD 250620C00100000",
    "underlying": "DDD",
    "delta_reason": "MISSING_DATA",
    "delta_detail": "no close",
    "implied_volatility_reason": "MISSING_DATA",
    "implied_volatility_detail": "no close",
}
BEFORE: Final = "portfolio_0032"
VALUES_OF_A_BOOK: Final = MappingProxyType({Step.PRE: "portfolio_0033", Step.POST: "portfolio_0034"})
KEY: Final = ("portfolio_id", "as_of", "revision")


@pytest.fixture
async def database(postgres: Servers) -> AsyncIterator[ServiceDatabase]:
    """A database of the version before."""
    async with provisioned_database(postgres, [SERVICE]) as made:
        await upgrade_to(made, BEFORE)
        yield made


@pytest.fixture
async def connection(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the service."""
    opened = await asyncpg.connect(database.url(SERVICE).get_secret_value())
    await opened.execute(f"SET search_path TO {SERVICE}")
    yield opened
    await opened.close()


async def upgrade(database: ServiceDatabase, step: Step) -> None:
    """Do a step of the upgrade to one row a book."""
    await upgrade_to(database, VALUES_OF_A_BOOK[step])


async def upgrade_to(database: ServiceDatabase, revision: str) -> None:
    """Bring the tables to a revision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.db.migrate.target", lambda *_: revision)
        await migrate(SERVICE, database.url(SERVICE))


def book(*positions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a portfolio, by position."""
    portfolio_id = uuid4()
    rows = [{**each, "portfolio_id": portfolio_id, "position_id": uuid4()} for each in positions]
    return sorted(rows, key=lambda row: row["position_id"])


async def rows_of(connection: asyncpg.Connection, table: str, portfolio_id: UUID) -> list[dict[str, Any]]:
    """Return the rows of a portfolio as they are read, by position."""
    query = f"SELECT {', '.join(COLUMNS)} FROM {table} WHERE portfolio_id = $1 ORDER BY position_id"
    return [dict(row) for row in await connection.fetch(query, portfolio_id)]


async def old_code_writes(connection: asyncpg.Connection, *books: list[dict[str, Any]]) -> None:
    """COPY a row a position, as code of the version before does."""
    records = [tuple(row[name] for name in COLUMNS) for rows in books for row in rows]
    await connection.copy_records_to_table("position_values", records=records, columns=list(COLUMNS))


def folded_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one row of a book, amounts in cents."""
    said = {name: [row[name] for row in rows] for name in COLUMNS if name not in KEY}
    amounts = {name: [int(amount * 100) for amount in said[name]] for name in MONEY}
    return {name: rows[0][name] for name in KEY} | said | amounts


async def test_what_old_code_writes_between_the_steps_is_read_as_it_wrote_it(
    database: ServiceDatabase, connection: asyncpg.Connection
) -> None:
    await upgrade(database, Step.PRE)
    mixed, plain = book(SHARE, UNVALUED, OPTION, WITHOUT_DELTA), book(SHARE, SHARE)

    await old_code_writes(connection, mixed, plain)

    for rows in (mixed, plain):
        assert await rows_of(connection, "valued_positions", rows[0]["portfolio_id"]) == rows
    query = "SELECT delta IS NULL AND value_reason IS NULL FROM book_values WHERE portfolio_id = $1"
    assert await connection.fetchval(query, plain[0]["portfolio_id"])


async def test_what_new_code_writes_between_the_steps_is_what_old_code_goes_on_from(
    database: ServiceDatabase, connection: asyncpg.Connection
) -> None:
    await upgrade(database, Step.PRE)
    mixed = book(SHARE, UNVALUED, OPTION, WITHOUT_DELTA)
    folded = folded_of(mixed)

    await connection.copy_records_to_table("book_values", records=[tuple(folded.values())], columns=list(folded))

    assert await rows_of(connection, "position_values", mixed[0]["portfolio_id"]) == mixed


async def test_what_was_there_before_is_carried_over_as_it_was(
    database: ServiceDatabase, connection: asyncpg.Connection
) -> None:
    mixed, plain = book(SHARE, UNVALUED, OPTION, WITHOUT_DELTA), book(SHARE, SHARE)
    await old_code_writes(connection, mixed, plain)
    # One of them long ago.
    owners = [rows[0]["portfolio_id"] for rows in (mixed, plain)]
    await connection.executemany(
        "INSERT INTO portfolios (portfolio_id, name, opened_on, opening_equity, currency) "
        "VALUES ($1, $2, $3, 1, 'USD')",
        [(portfolio_id, str(portfolio_id), WEEK[0]) for portfolio_id in owners],
    )
    # Sessions are those of snapshots.
    (columns,) = await connection.fetch(
        "SELECT string_agg(format('%I', column_name), ', ') AS names, "
        "string_agg(CASE data_type WHEN 'text' THEN '''''' ELSE '0' END, ', ') AS nothing "
        "FROM information_schema.columns WHERE table_schema = $1 AND "
        "table_name = 'snapshots' AND is_nullable = 'NO' AND data_type IN ('numeric', 'integer', 'bigint', 'text') "
        "AND column_name <> 'revision'",
        SERVICE,
    )
    await connection.execute(
        f"INSERT INTO snapshots (portfolio_id, as_of, revision, run_id, daily_return, twr_index, known_at, "
        f"{columns['names']}) SELECT portfolio_id, $1, 1, gen_random_uuid(), 0, 1, "
        f"CASE WHEN portfolio_id = $2 THEN now() ELSE '-infinity' END, {columns['nothing']} FROM portfolios",
        WEEK[0],
        owners[0],
    )

    await upgrade(database, Step.PRE)

    for rows in (mixed, plain):
        assert await rows_of(connection, "valued_positions", rows[0]["portfolio_id"]) == rows


async def test_after_the_upgrade_there_is_one_table(database: ServiceDatabase, connection: asyncpg.Connection) -> None:
    await upgrade(database, Step.PRE)
    rows = book(SHARE)
    await old_code_writes(connection, rows)

    await upgrade(database, Step.POST)

    assert await connection.fetchval("SELECT to_regclass('position_values')") is None
    assert await rows_of(connection, "valued_positions", rows[0]["portfolio_id"]) == rows
    await connection.execute("UPDATE book_values SET revision = 2")
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'book_values'::regclass AND NOT tgisinternal"
    assert await connection.fetchval(triggers) == 0


async def test_book_that_names_what_it_says_night_after_night_is_read_as_if_it_said_it(
    database: ServiceDatabase, connection: asyncpg.Connection
) -> None:
    said_itself, between, after = (book(SHARE, UNVALUED, OPTION, WITHOUT_DELTA) for _ in range(3))
    night = [{**row, "as_of": WEEK[1], "mark": 0.2} for row in after]
    await upgrade_to(database, "portfolio_0034")
    old = folded_of(said_itself)
    await connection.copy_records_to_table("book_values", records=[tuple(old.values())], columns=list(old))

    async def new_code_writes(rows: list[dict[str, Any]]) -> None:
        async with one_transaction(database.url(SERVICE), service=SERVICE) as writing:
            columns = {name: [value] for name, value in folded_of(rows).items()}
            await SnapshotRepository(writing).append_values(columns)

    await migrate(SERVICE, database.url(SERVICE), step=Step.PRE)
    await new_code_writes(between)
    read_by_old_code = await connection.fetchval("SELECT symbol FROM book_values WHERE alike IS NOT NULL")
    await migrate(SERVICE, database.url(SERVICE), step=Step.POST)
    for rows in (after, night):
        await new_code_writes(rows)

    assert read_by_old_code == [row["symbol"] for row in between]
    for rows in (said_itself, between):
        assert await rows_of(connection, "valued_positions", rows[0]["portfolio_id"]) == rows
    stored = await rows_of(connection, "valued_positions", after[0]["portfolio_id"])
    assert sorted(stored, key=lambda row: (row["as_of"], row["position_id"])) == [*after, *night]
    query = "SELECT count(symbol), count(*) FROM book_values WHERE portfolio_id = $1"
    assert tuple(await connection.fetchrow(query, after[0]["portfolio_id"])) == (0, 2)
    alike = "SELECT count(*) FROM book_values_alike WHERE portfolio_id = $1"
    assert await connection.fetchval(alike, after[0]["portfolio_id"]) == 1


@pytest.mark.parametrize("spoilt", [{"alike": 5}, {"mark": [0.1]}, {"mark_age": [0] * 5}, {"delta": [None, None]}])
async def test_book_that_does_not_go_with_what_it_names_is_refused_by_the_database(
    database: ServiceDatabase, connection: asyncpg.Connection, spoilt: dict[str, Any]
) -> None:
    await migrate(SERVICE, database.url(SERVICE))
    async with one_transaction(database.url(SERVICE), service=SERVICE) as writing:
        columns = {name: [value] for name, value in folded_of(book(SHARE, OPTION)).items()}
        await SnapshotRepository(writing).append_values(columns)
    row = dict(await connection.fetchrow("SELECT * FROM book_values")) | {"revision": 2}

    with pytest.raises(asyncpg.CheckViolationError):
        await connection.copy_records_to_table(
            "book_values", records=[tuple((row | spoilt).values())], columns=list(row)
        )
