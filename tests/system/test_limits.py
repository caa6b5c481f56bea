"""How much is done at once: what one process works on counts for the others, for each kind of work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

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
CSV = "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,100,2022-11-01\n"


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        for limit, setting in enumerate(LIMITS, start=1):
            environment.setenv(setting, str(limit))
        async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
            entered = await running.api.import_portfolio("one", CSV, opening_equity="100000.00", as_of=str(DAY))
            await running.api.ended(entered["run_id"])
            yield running


@asynccontextmanager
async def held(platform: Platform, consumer: str, slots: int) -> AsyncIterator[None]:
    """Other processes are at work in so many slots of a consumer."""
    connection = await asyncpg.connect(platform.database.admin_url)
    for slot in range(slots):
        await connection.execute("SELECT pg_advisory_lock(hashtext($1), $2)", consumer, slot)
    yield
    await connection.close()


async def _waits(platform: Platform, consumer: str) -> bool:
    query = """
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = hashtext($1)::bigint & 4294967295
    """
    return bool((await platform.fetch(query, consumer))[0][0])


@pytest.mark.parametrize("limit", range(1, len(LIMITS) + 1))
async def test_work_waits_while_others_are_at_as_much_as_the_setting_allows(platform: Platform, limit: int) -> None:
    consumer = list(LIMITS.values())[limit - 1]
    body = {"first_session": str(DAY), "last_session": str(DAY)}

    async with held(platform, consumer, limit):
        run_id = (await platform.api.post("/runs", body))["run"]["run_id"]

        async def waits_or_has_ended() -> str | None:
            if await _waits(platform, consumer):
                return "waits"
            status: str = (await platform.api.get(f"/runs/{run_id}"))["status"]
            return None if status == "active" else status

        assert await eventually(waits_or_has_ended) == "waits"
    assert (await platform.api.ended(run_id))["status"] == "completed"

    async with held(platform, consumer, limit - 1):
        assert (await platform.api.run(**body))["status"] == "completed"
