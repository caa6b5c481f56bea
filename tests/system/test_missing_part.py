"""A run of which a part never comes: what it lacks is named, and everything else is computed."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
from aiokafka import AIOKafkaProducer

from services.market_data.settings import MarketDataSettings
from shared.contracts.market_data import FundamentalsUpdated, PricesUpdated, ProfilesUpdated
from shared.contracts.run import Part, Run
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.probe import Sender
from tests.support.runs import make_run
from tests.support.stack import Servers

pytestmark = pytest.mark.slow

NIGHT = date(2022, 12, 28)
BOOK = {
    "csv": "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,100,2022-11-01\n",
    "opening_equity": "100000.00",
    "as_of": str(NIGHT),
}
MISSING = "prices.updated: part 1 of 2"


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        yield running


async def _publish_all_but_one_part(platform: Platform, run: Run, like: str) -> None:
    """Announce what market_data has announced of another run, as the first of two parts; the second has no prices."""
    query = "SELECT value FROM market_data.outbox WHERE topic = 'prices.updated' AND run_id = $1::text::uuid"
    (row,) = await platform.fetch(query, like)
    halves = [Part(index=index, total=2) for index in range(2)]
    prices = PricesUpdated.model_validate_json(row["value"]).model_copy(update={"run": run, "part": halves[0]})
    others = [kind(run=run, part=half) for kind in (ProfilesUpdated, FundamentalsUpdated) for half in halves]
    producer = AIOKafkaProducer(bootstrap_servers=platform.servers.bootstrap_servers)
    await producer.start()
    try:
        for event in (prices, *others):
            await Sender(producer).event(event)
    finally:
        await producer.stop()


async def _let_barrier_close(platform: Platform, service: str, run: Run, *, arrived: int) -> None:
    async def waits() -> bool:
        query = f"SELECT 1 FROM {service}.fan_in WHERE run_id = $1 AND arrived = $2 AND fired_at IS NULL"
        return bool(await platform.fetch(query, run.run_id, arrived))

    await eventually(waits)
    await platform.fetch(f"UPDATE {service}.fan_in SET deadline_at = '-infinity' WHERE run_id = $1", run.run_id)


async def _stage_in(platform: Platform, run: Run, stage: str) -> None:
    """Wait until all parts of a stage that will come are in."""

    async def look() -> bool:
        stages = (await platform.api.get(f"/runs/{run.run_id}"))["stages"]
        (found,) = [entry for entry in stages if entry["stage"] == stage]
        missing = 1 if stage == PricesUpdated.topic else 0
        return found["parts_total"] is not None and found["parts_done"] == found["parts_total"] - missing

    await eventually(look)


async def test_run_past_its_deadlines_goes_on_with_what_is_there(platform: Platform) -> None:
    entered = await platform.api.import_portfolio("one", **BOOK)
    await platform.api.ended(entered["run_id"])
    run = make_run(first_session=NIGHT, last_session=NIGHT)
    await platform.make_known(run)
    await _publish_all_but_one_part(platform, run, like=entered["run_id"])

    await _let_barrier_close(platform, "symbol_analytics", run, arrived=5)
    # Of a stage without a part nobody would know how many it lacks.
    for kind in (PricesUpdated, ProfilesUpdated, FundamentalsUpdated, SymbolsFactored, SymbolsMeasured):
        await _stage_in(platform, run, kind.topic)
    await platform.fetch(
        "UPDATE scheduler.runs SET counts_from = counts_from - interval '1 day' WHERE run_id = $1", run.run_id
    )

    async def closed() -> list[str]:
        failures = (await platform.api.get(f"/runs/{run.run_id}"))["failures"]
        return [failure["detail"] for failure in failures if failure["stage"] == "prices.updated"]

    assert await eventually(closed) == ["did not arrive within 1500 s"]
    assert (await platform.api.get(f"/runs/{run.run_id}"))["status"] == "active"
    await _let_barrier_close(platform, "portfolio", run, arrived=3)
    await _let_barrier_close(platform, "risk", run, arrived=4)

    ended = await platform.api.ended(str(run.run_id))
    assert ended["status"] == "completed_with_errors"
    assert {failure["subject"] for failure in ended["failures"]} == {MISSING}
    named = {failure["stage"] for failure in ended["failures"]}
    assert {"prices.updated", "symbols.factored", "portfolios.valued", "portfolios.assessed"} <= named
    counts = {stage["stage"]: (stage["parts_done"], stage["parts_total"]) for stage in ended["stages"]}
    assert counts.pop("prices.updated") == (1, 2)
    assert {done == total for done, total in counts.values()} == {True}
    assert {stage["subjects"] for stage in ended["stages"] if stage["stage"].startswith("portfolios.")} == {1}
