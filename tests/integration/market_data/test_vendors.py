"""What all processes know of the vendors together: counted requests and breakers, on real PostgreSQL."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.breaking import Failure
from services.market_data.core.plans import PLANS, UNLIMITED, Plan, Spent, Window
from services.market_data.main import build_providers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.providers.vendor_errors import KeyRefused, OutOfOrder, RateLimited, VendorError
from services.market_data.providers.yahooquery import YahooqueryProvider
from services.market_data.settings import Access, MarketDataSettings, Take, unlimited
from services.market_data.storage.gauges import read_vendors
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.storage.vendor_ledger import VendorLedger
from services.market_data.storage.vendor_repository import VendorRepository
from services.market_data.web.routes import build_router
from shared.calendar import sessions_between, shift_session
from shared.clock import SystemClock
from shared.factor_set import FactorSet
from tests.integration.market_data.conftest import NOW, World
from tests.unit.market_data.providers.directories import check
from tests.unit.market_data.providers.vendors import massive_server, yahooquery_server
from tests.unit.market_data.providers.vendors.invented import history

_names = count(1)
DAY = date(2022, 3, 1)
LAST = date(2022, 12, 28)
BEFORE = shift_session(LAST, -1)
KEY = SecretStr("canary-0b6e")


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

    assert sorted(taken, key=str) == [None] * 7 + [Spent(60.0)] * 9
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

    assert said == [None, None, Spent(10.0), None, Spent(3_540.0), None]
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


AS_YAHOO = "not asked until 2022-12-29 04:00:00 UTC, as yahoo: rate limited"


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(RateLimited("run over", 3_600.0), AS_YAHOO), (KeyRefused("401"), None)],
    ids=["servers", "only what was asked"],
)
async def test_servers_that_do_not_answer_are_not_asked_under_another_name(
    world: World, trouble: VendorError, said: str | None
) -> None:
    ledger = VendorLedger(world.service.unit_of_work, Time())

    await ledger.note("yahoo", "bars", trouble.failure)

    refused = await ledger.refusal("yahooquery", "profiles")
    other = await ledger.refusal("tiingo", "bars")
    await ledger.note("yahoo", "bars", None)
    assert (refused or "").startswith(said or "")
    assert (refused is None, other) == (said is None, None)


async def test_requests_to_the_same_servers_are_counted_together(world: World, httpserver: HTTPServer) -> None:
    yahooquery_server.serve(httpserver)
    url = httpserver.url_for("")
    settings = MarketDataSettings(
        providers=("yahooquery",), yahooquery_url=url, yahooquery_cookies_url=f"{url}/cookies"
    )
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("DELETE FROM vendor_windows WHERE vendor LIKE 'yahoo%'"))
    (provider,) = build_providers(settings, VendorLedger(world.service.unit_of_work, Time()))
    assert isinstance(provider, YahooqueryProvider)

    await provider.fetch_statements(["KO"])

    await provider.close()
    async with world.service.unit_of_work.reading() as connection:
        windows = await VendorRepository(connection).list_windows()
    assert {(row.vendor, row.requests) for row in windows if row.vendor.startswith("yahoo")} == {("yahoo", 1)}


async def test_gauges_say_who_is_not_asked_and_what_is_used_up_of_a_plan(world: World) -> None:
    time = Time()
    ledger = VendorLedger(world.service.unit_of_work, time)
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE vendor_windows, vendor_breakers"))
    plans = MarketDataSettings(providers=("yahoo", "yahooquery")).plans
    for _ in range(5):
        time.pass_by(seconds=20)
        await ledger.take("yahoo", plans["yahoo"])
    await ledger.note("yahoo", "bars", RateLimited("run over", 600.0).failure)

    async def read() -> dict[tuple[str, ...], float]:
        async with world.service.unit_of_work.reading() as connection:
            readings = await read_vendors(connection, plans=plans, kinds=tuple(Kind), clock=time)
        return {reading.labels: reading.value for reading in readings}

    during = await read()
    time.pass_by(hours=2)
    later = await read()

    hourly = [("yahoo", "3600"), ("yahooquery", "3600")]
    assert {each for each, value in during.items() if value == 1} == {("yahoo", "bars")}
    assert [during[each] for each in hourly] == [5 / 2_000] * 2
    assert {*later.values()} == {0}
    assert len(during) == 2 * len(Kind) + 2


async def test_answer_is_kept_for_a_week(world: World, vendor: str) -> None:
    store = VendorLedger(world.service.unit_of_work, Time()).answers(vendor)
    await store.store("profile KO", DAY, "{}")
    before = await store.load("profile KO")
    async with world.service.unit_of_work() as uow:
        older = "UPDATE vendor_answers SET fetched_at = now() - interval '7 days' WHERE vendor = :vendor"
        await uow.connection.execute(sa.text(older), {"vendor": vendor})

    assert (before, await store.load("profile KO")) == ("{}", None)


async def test_what_is_read_from_files_is_always_read(world: World) -> None:
    ledger = VendorLedger(world.service.unit_of_work, Time())

    for _ in range(4):
        await ledger.note("files", "bars", Failure("missing"))

    assert await ledger.refusal("files", "bars") is None


async def test_vendors_are_listed_with_their_windows_and_breakers_and_ready_says_who_is_not_asked(
    world: World,
) -> None:
    settings = MarketDataSettings(providers=("massive", "tiingo"), massive_api_key=KEY, tiingo_api_key=KEY)
    ledger = VendorLedger(world.service.unit_of_work, SystemClock())
    for name in ("massive", "tiingo"):
        await ledger.take(name, settings.plans[name])
    await ledger.note("massive", "bars", Failure("403: not entitled", lasting=True))
    world.service.remarks[:] = [ledger.remarks]
    router = build_router(world.service.unit_of_work, SystemClock(), ProviderChain([]), settings.plans, FactorSet())
    app = FastAPI()
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vendors") as client:
        first = (await client.get("/vendors", params={"limit": 1})).json()
        rest = (await client.get("/vendors", params={"limit": 1, "cursor": first["next"]})).json()

    assert [vendor["vendor"] for page in (first, rest) for vendor in page["items"]] == ["massive", "tiingo"]
    (massive,) = first["items"]
    assert [(each["seconds"], each["allowed"], each["requests"]) for each in massive["windows"]] == [(60, 5, 1)]
    states = {each["kind"]: (each["state"], each["why"]) for each in massive["kinds"]}
    assert states == {
        "bars": ("open", "403: not entitled"),
        "profiles": ("closed", None),
        "statements": ("closed", None),
        "rates": ("closed", None),
    }
    (said,) = [remark for remark in await ledger.remarks() if remark.startswith("massive")]
    assert said.startswith("massive is not asked for bars until ")
    assert said.endswith(" UTC: 403: not entitled")
    await ledger.note("massive", "bars", None)
    assert not any(remark.startswith("massive") for remark in await ledger.remarks())


async def test_who_was_asked_in_vain_is_kept_by_session_with_what_each_said(world: World) -> None:
    name, unknown = world.name("KNOWN"), world.name("UNKNOWN")
    world.directory.add(world.market, name, last=LAST)
    world.directory.write()
    down = Vendor("massive", OutOfOrder("502: bad gateway"))
    world.providers.insert(0, down)  # type: ignore[arg-type]
    await world.run(name, unknown, last=BEFORE)
    down.trouble = OutOfOrder("503: busy")
    await world.run(name, unknown, last=LAST)

    said = {
        symbol: {day: await world.items(f"/attempts/{symbol}", as_of=day) for day in (BEFORE, LAST)}
        for symbol in (name, unknown)
    }

    assert [_told(each) for each in said[name][BEFORE] if each["kind"] == "bars"] == [
        ("massive", "failed", "502: bad gateway")
    ]
    assert [_told(each) for each in said[unknown][LAST] if each["kind"] == "bars"] == [
        ("massive", "failed", "503: busy"),
        ("files", "absent", "not in prices.csv"),
    ]
    assert await world.items(f"/attempts/{name}", as_of=date(2020, 1, 2)) == []
    world.providers.pop(0)
    await world.run(name, unknown, last=LAST)
    again = [each for each in await world.items(f"/attempts/{unknown}") if each["kind"] == "bars"]
    assert [_told(each) for each in again] == [("files", "absent", "not in prices.csv")]


async def test_first_load_that_is_interrupted_goes_on_where_it_was_with_another_process(
    world: World, httpserver: HTTPServer
) -> None:
    march = sessions_between(date(2022, 3, 1), date(2022, 3, 31))
    async with world.service.unit_of_work() as uow:
        await MarketDataRepository(uow.connection).store_instruments([world.name(f"N{n}") for n in range(len(march))])
    massive_server.serve(httpserver, key="key")
    spent = Plan((Window(10, 600.0),))
    unspent = VendorLedger(world.service.unit_of_work, Time())

    def process(take: Take) -> MassiveProvider:
        url = httpserver.url_for("")
        return MassiveProvider(Access(url, SecretStr("key"), take=take, answers=unspent.answers("massive")))

    first = process(partial(unspent.take, world.prefix, spent))
    with pytest.raises(RateLimited, match="what the plan allows is spent"):
        await first.fetch_bars(["AAPL"], march[0], march[-1])
    second = process(unlimited)
    loaded = await second.fetch_bars(["AAPL"], march[0], march[-1])
    third = process(unlimited)
    other = await third.fetch_bars(["KO"], march[0], march[-1])
    for each in (first, second, third):
        await each.close()

    asked = [request.path for request, _ in httpserver.log]
    wanted = [f"/v2/aggs/grouped/locale/us/market/stocks/{day}" for day in march]
    assert asked == [*wanted, "/stocks/v1/splits", "/stocks/v1/dividends"], "each of them once, of all three"
    traded = {symbol: [bar for bar in history(symbol) if bar.day in march] for symbol in ("AAPL", "KO")}
    assert loaded.rows.close.tolist() == [bar.close for bar in traded["AAPL"]]
    for name in ("close", "volume", "split", "dividend"):
        assert getattr(other.rows, name).tolist() == [getattr(bar, name) for bar in traded["KO"]]


async def test_session_that_was_asked_for_on_its_evening_is_asked_for_again_later(world: World) -> None:
    store = VendorLedger(world.service.unit_of_work, Time()).answers(world.prefix)
    today = datetime.now(UTC).date()
    for what, until in (("old", today - timedelta(days=3)), ("new", today)):
        await store.store(what, until, f"said of the {what}")
    async with world.service.unit_of_work() as uow:
        later = "UPDATE vendor_answers SET fetched_at = fetched_at - interval '7 hours' WHERE vendor = :vendor"
        await uow.connection.execute(sa.text(later), {"vendor": world.prefix})

    assert await store.known() == {"old"}
    assert (await store.load("old"), await store.load("new")) == ("said of the old", None)


def _told(attempt: dict[str, str]) -> tuple[str, str, str]:
    return attempt["provider"], attempt["outcome"], attempt["detail"]
