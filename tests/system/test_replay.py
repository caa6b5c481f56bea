"""What was announced is sent again, to one service or through the chain, while the platform runs."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from services.market_data.settings import MarketDataSettings
from services.ops.errors import Misused
from services.ops.hosting.replay import Replay, replay_through_chain, replay_to_service
from shared.factor_set import SAMPLE_FACTOR_SET
from shared.settings import CommonSettings
from tests.support.digests import digest_results
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.stack import Servers

pytestmark = pytest.mark.slow

NIGHTS = date(2022, 12, 27), date(2022, 12, 28)
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    """A book, onboarded, and one night."""
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        terms = {"opening_equity": "100000.00", "opened_on": "2022-12-01", "as_of": "2022-12-20"}
        entered = await running.api.import_portfolio("one", f"{HEADER}AAPL,100,140,2022-11-01,\n", **terms)
        await running.api.ended(entered["run_id"])
        await running.api.run(kind="nightly", last_session=str(NIGHTS[0]))
        yield running


def common(platform: Platform) -> CommonSettings:
    return platform.database.common.model_copy(update={"factor_set": SAMPLE_FACTOR_SET})


async def taken_in(platform: Platform, wanted: Replay) -> dict[str, int]:
    """Return how many messages of a replay each consumer has taken in, in all services that listen."""
    counts: dict[str, int] = {}
    for service in ("scheduler", "symbol_analytics", "portfolio", "risk"):
        query = f"SELECT consumer, count(*) FROM {service}.inbox WHERE replay_id = $1 GROUP BY 1"
        counts |= {row[0]: row[1] for row in await platform.fetch(query, str(wanted.replay_id))}
    return counts


async def test_replay_to_one_service_during_a_night_reaches_it_alone_and_changes_nothing_else(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Replay("prices.updated", *EVER, service="risk")
    await platform.fetch("DELETE FROM risk.price_bars WHERE session = '2022-12-15'")
    opened = await platform.api.post("/runs", {"kind": "nightly", "last_session": str(NIGHTS[1])})

    await replay_to_service(common(platform), wanted, dry_run=False)
    run = await platform.api.ended(opened["run"]["run_id"])

    assert run["status"] == "completed"
    (kept,) = await platform.fetch(
        "SELECT count(*) FROM market_data.outbox WHERE topic = 'prices.updated' AND NOT headers ? 'replay-id'"
    )

    async def all_of_it() -> bool:
        return (await taken_in(platform, wanted)).get("risk.store_prices", 0) >= int(kept[0]) - 1

    await eventually(all_of_it)
    assert set(await taken_in(platform, wanted)) == {"risk.store_prices"}
    (bars,) = await platform.fetch("SELECT count(*) FROM risk.price_bars WHERE session = '2022-12-15'")
    (expected,) = await platform.fetch("SELECT count(*) FROM portfolio.price_bars WHERE session = '2022-12-15'")
    assert bars == expected
    capsys.readouterr()
    await replay_to_service(common(platform), wanted, dry_run=True)
    told = capsys.readouterr().out
    assert "would be sent to risk.store_prices" in told
    # It was to begin before anything is kept.
    assert "(LOG_KEPT_DAYS)" in told


async def test_replay_through_the_chain_is_a_run_of_its_own_and_a_second_time_nothing(platform: Platform) -> None:
    wanted = Replay("portfolios.valued", *EVER, service=None)
    before = await digest_results(platform.database.admin_url)

    await replay_through_chain(common(platform), wanted, dry_run=True)
    assert not await replays(platform)
    await replay_through_chain(common(platform), wanted, dry_run=False)
    first = await replays(platform)
    await replay_through_chain(common(platform), wanted, dry_run=False)

    assert {row["status"] for row in first} == {"completed"}
    assert {row["last_session"] for row in first} == {date(2022, 12, 20), *NIGHTS}
    assert await replays(platform) == first
    over = "SELECT DISTINCT run ->> 'symbols' AS symbols, run ->> 'portfolio_ids' AS portfolios FROM scheduler.runs"
    kinds = [await platform.fetch(f"{over} WHERE (kind = 'replay') = {again} ORDER BY 1, 2") for again in (True, False)]
    assert kinds[0] == kinds[1]
    assert await digest_results(platform.database.admin_url) == before


async def replays(platform: Platform) -> list[dict[str, object]]:
    found = await platform.fetch(
        "SELECT run_id, status, last_session FROM scheduler.runs WHERE kind = 'replay' ORDER BY run_id"
    )
    return [dict(row) for row in found]


@pytest.mark.parametrize(
    ("topic", "service", "why"),
    [
        ("batch.triggered", "market_data", "asks for runs"),
        ("portfolios.assessed", "risk", "risk does not listen to portfolios.assessed"),
    ],
)
async def test_replay_to_a_service_that_cannot_take_it_in_is_refused(
    platform: Platform, topic: str, service: str, why: str
) -> None:
    with pytest.raises(Misused, match=why):
        await replay_to_service(common(platform), Replay(topic, *EVER, service=service), dry_run=True)
