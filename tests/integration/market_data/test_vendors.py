"""What all processes know of the vendors together: counted requests and breakers, on real PostgreSQL."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import count

import pytest

from services.market_data.core.breaking import Failure
from services.market_data.core.plans import PLANS, UNLIMITED, Plan, Window
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.providers.vendor_errors import OutOfOrder, RateLimited, VendorError
from services.market_data.storage.vendor_ledger import VendorLedger
from services.market_data.storage.vendor_repository import VendorRepository
from tests.integration.market_data.conftest import NOW, World
from tests.unit.market_data.providers.directories import check

_names = count(1)
DAY = date(2022, 3, 1)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant

    def pass_by(self, **time: float) -> None:
        self.instant += timedelta(**time)


class Vendor:
    """A vendor that fails as long as it is told to."""

    def __init__(self, name: str, trouble: VendorError | None) -> None:
        self.name = name
        self.trouble = trouble
        self.asked = 0

    async def edition(self, _: Kind) -> str:
        return ""

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        raise AssertionError("nobody is interested in the answer")


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> str:
    """A vendor of which nothing is known yet."""
    name = f"vendor-{next(_names)}"
    monkeypatch.setattr("services.market_data.storage.vendor_ledger.PLANS", {**PLANS, name: {}})
    return name


async def test_processes_share_what_a_plan_allows_and_none_asks_for_more(world: World, vendor: str) -> None:
    plan = Plan((Window(7, 60.0), Window(100, 86_400.0)))
    processes = [VendorLedger(world.service.unit_of_work, Time()) for _ in range(2)]

    taken = await asyncio.gather(*(process.take(vendor, plan) for process in processes for _ in range(8)))

    assert sorted(taken, key=str) == [60.0] * 9 + [None] * 7
    async with world.service.unit_of_work.reading() as connection:
        windows = [row for row in await VendorRepository(connection).list_windows() if row.vendor == vendor]
    assert {(row.seconds, row.requests) for row in windows} == {(60, 7), (86_400, 7)}, "what is refused is not counted"


async def test_window_lasts_from_its_first_request(world: World, vendor: str) -> None:
    time, plan = Time(), Plan((Window(2, 60.0), Window(3, 3_600.0)))
    ledger = VendorLedger(world.service.unit_of_work, time)

    said = []
    for seconds in (0, 30, 20, 10, 0, 3_600):
        time.pass_by(seconds=seconds)
        said.append(await ledger.take(vendor, plan))

    assert said == [None, None, 10.0, None, 3_540.0, None]
    assert await ledger.take(vendor, UNLIMITED) is None


async def test_breaker_opens_is_tried_by_one_and_closes_again(world: World, vendor: str) -> None:
    time = Time()
    ledger = VendorLedger(world.service.unit_of_work, time)
    failing = Vendor(vendor, OutOfOrder("502: bad gateway"))
    chain = ProviderChain([failing], gate=ledger)

    attempts = [await chain.fetch_bars(["KO"], DAY, DAY, check) for _ in range(5)]

    said = [each.attempts.by_symbol["KO"][0].detail for each in attempts]
    assert said[:3] == ["502: bad gateway"] * 3
    assert said[3:] == ["not asked until 2022-12-29 03:01:00 UTC: 502: bad gateway"] * 2
    assert (failing.asked, attempts[4].attempts.undecided) == (3, ("KO",))

    time.pass_by(minutes=1)
    tried = [await ledger.refusal(vendor, "bars") for _ in range(2)]
    assert tried[0] is None
    assert "not asked until 2022-12-29 03:04:00 UTC" in (tried[1] or "")
    await ledger.note(vendor, "bars", Failure("502"))
    assert "not asked until 2022-12-29 03:03:00 UTC" in (await ledger.refusal(vendor, "bars") or "")

    time.pass_by(minutes=2)
    assert await ledger.refusal(vendor, "bars") is None
    await ledger.note(vendor, "bars", None)
    assert [await ledger.refusal(vendor, "bars") for _ in range(2)] == [None, None]


async def test_spent_allowance_is_not_asked_for_again_by_anybody_and_keeps_no_other_kind(
    world: World, vendor: str
) -> None:
    spent = Vendor(vendor, RateLimited("run over", 3_600.0))
    chains = [ProviderChain([spent], gate=VendorLedger(world.service.unit_of_work, Time())) for _ in range(2)]

    found = [await chain.fetch_bars(["KO"], DAY, DAY, check) for chain in chains]

    assert spent.asked == 1
    assert "not asked until 2022-12-29 04:00:00 UTC: rate limited" in found[1].attempts.by_symbol["KO"][0].detail
    assert await VendorLedger(world.service.unit_of_work, Time()).refusal(vendor, "profiles") is None


async def test_what_is_read_from_files_is_always_read(world: World) -> None:
    ledger = VendorLedger(world.service.unit_of_work, Time())

    for _ in range(4):
        await ledger.note("files", "bars", Failure("missing"))

    assert await ledger.refusal("files", "bars") is None
