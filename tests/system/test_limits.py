"""How much is done at once: what one process works on counts for the others, for each kind of work."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from uuid import UUID

import asyncpg
import pytest

from services.market_data.settings import MarketDataSettings
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.stack import Servers

# setting -> the consumer whose work it bounds
LIMITS = {
    "PRICE_FETCH_CONCURRENCY": "market_data.fetch_shard",
    "FACTOR_CALC_CONCURRENCY": "symbol_analytics.analyse_symbols",
    "PORTFOLIO_REFRESH_CONCURRENCY": "portfolio.value_portfolios",
    "MAX_PORTFOLIO_CONCURRENCY": "risk.assess_portfolios",
}
DAY = date(2022, 12, 28)
BOOK = {
    "csv": "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,100,2022-11-01\n",
    "opening_equity": "100000.00",
    "as_of": str(DAY),
}


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        for limit, setting in enumerate(LIMITS, start=1):
            environment.setenv(setting, str(limit))
        environment.setenv("SYMBOL_ONBOARDING_CONCURRENCY", "1")
        environment.setenv("SYMBOL_ONBOARDING_MAX_QUEUE", "1")
        async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
            entered = await running.api.import_portfolio("one", **BOOK)
            await running.api.ended(entered["run_id"])
            yield running


@asynccontextmanager
async def held(platform: Platform, consumer: str, slots: int) -> AsyncIterator[asyncpg.Connection]:
    """Other processes are at work in so many slots of a consumer, until the connection is closed."""
    connection = await asyncpg.connect(platform.database.admin_url)
    try:
        for slot in range(slots):
            await connection.execute("SELECT pg_advisory_lock(hashtext($1), $2)", consumer, slot)
        yield connection
    finally:
        await connection.close()


async def _waits(platform: Platform, consumer: str) -> bool:
    query = """
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = hashtext($1)::bigint & 4294967295
    """
    return bool((await platform.fetch(query, consumer))[0][0])


async def test_work_waits_while_others_are_at_as_much_as_the_setting_allows(platform: Platform) -> None:
    body = {"first_session": str(DAY), "last_session": str(DAY)}

    async with AsyncExitStack() as all_held:
        held_up = {
            consumer: await all_held.enter_async_context(held(platform, consumer, limit))
            for limit, consumer in enumerate(LIMITS.values(), start=1)
        }
        run_id = (await platform.api.post("/runs", body))["run"]["run_id"]
        for consumer, connection in held_up.items():

            async def waits_or_has_ended(consumer: str = consumer) -> str | None:
                if await _waits(platform, consumer):
                    return "waits"
                status: str = (await platform.api.get(f"/runs/{run_id}"))["status"]
                return None if status == "active" else status

            assert await eventually(waits_or_has_ended) == "waits", consumer
            await connection.close()
        assert (await platform.api.ended(run_id))["status"] == "completed"


async def test_work_goes_on_while_others_are_at_one_less_than_the_setting_allows(platform: Platform) -> None:
    async with AsyncExitStack() as all_held:
        for limit, consumer in enumerate(LIMITS.values(), start=1):
            await all_held.enter_async_context(held(platform, consumer, limit - 1))

        assert (await platform.api.run(first_session=str(DAY), last_session=str(DAY)))["status"] == "completed"


async def test_portfolios_are_onboarded_one_at_a_time_one_waits_and_the_next_is_refused(platform: Platform) -> None:
    held_up = "risk.assess_portfolios"
    async with held(platform, held_up, len(LIMITS)):
        first = (await platform.api.import_portfolio("first", **BOOK))["run_id"]
        await eventually(lambda: _waits(platform, held_up))
        second = (await platform.api.import_portfolio("second", **BOOK))["run_id"]

        async def waiting() -> list[asyncpg.Record]:
            query = "SELECT begun_at FROM market_data.onboardings WHERE run_id = $1"
            return await platform.fetch(query, UUID(second))

        assert [row["begun_at"] for row in await eventually(waiting)] == [None]
        refused = await platform.api.client.post("/portfolios", json={"name": "third", **BOOK})
        assert (refused.status_code, refused.json()["detail"][:26]) == (503, "2 calculations are under w")

    for run_id in (first, second):
        assert (await platform.api.ended(run_id))["status"] == "completed"

    async def room() -> bool:
        return (await platform.api.client.post("/portfolios", json={"name": "third", **BOOK})).is_success

    assert await eventually(room)
