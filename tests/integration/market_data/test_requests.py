"""Requests of runs: what is estimated and counted, who leaves some, and a first load over days of a small plan."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.plans import PLANS, UNLIMITED, Plan, Spent, Window
from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.main import VENDORS
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import Provider
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.settings import Access
from services.market_data.storage.holding_repository import HoldingRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.storage.vendor_ledger import VendorLedger, asking_for
from shared.calendar import shift_session
from shared.clock import FixedClock, SessionClock
from shared.contracts.portfolio import Holding
from shared.contracts.run import Run, RunKind
from tests.integration.market_data.conftest import NOW, AskedProvider, World
from tests.support.runs import make_run
from tests.unit.market_data.providers.vendors import (
    fmp_server,
    massive_server,
    tiingo_server,
    yahoo_server,
    yahooquery_server,
)
from tests.unit.market_data.providers.vendors.answers import as_json
from tests.unit.market_data.providers.vendors.invented import history

LAST = date(2022, 12, 28)
SMALL = Plan((Window(8, 3_600.0), Window(20, 86_400.0)))


class Time:
    """A clock that a test moves, by days too."""

    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant


@pytest.fixture(autouse=True)
async def _nothing_asked_yet(world: World) -> None:
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE vendor_windows, vendor_breakers, held_symbols, vendor_answers"))


def _known(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Let the vendors' servers know the symbols of this world."""
    known = lambda symbol: history("KO") if symbol.startswith(world.prefix) else []  # noqa: E731
    monkeypatch.setattr(tiingo_server, "history", known)
    monkeypatch.setattr(massive_server, "history", lambda symbol: history("KO"))


def _process(world: World, server: HTTPServer, time: Time) -> tuple[TiingoProvider, VendorLedger]:
    ledger = VendorLedger(world.service.unit_of_work, time)
    take = partial(ledger.take, "tiingo", SMALL)
    return TiingoProvider(Access(server.url_for(""), SecretStr("key"), take=take)), ledger


async def _fetch(world: World, run: Run, provider: Provider, ledger: VendorLedger) -> None:
    """Plan a run and fetch its shards."""
    world.providers[:] = [provider]  # type: ignore[list-item]
    for due in await world.plan(run):
        async with world.service.unit_of_work() as uow:
            chain = ProviderChain([provider], gate=ledger)
            await fetch_shard(due, uow, chain=chain, clock=SessionClock(FixedClock(world.now)))


async def test_first_load_goes_on_over_days_with_the_oldest_holdings_first(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _known(monkeypatch, world)
    tiingo_server.serve(httpserver, key="key")
    names = [world.name(f"S{number:02d}") for number in range(50)]
    held = {name: date(2021, 12, 31) - timedelta(days=number) for number, name in enumerate(names[10:40])}
    async with world.service.unit_of_work() as uow:
        book = [Holding(symbol=name, since=since) for name, since in held.items()]
        await HoldingRepository(uow.connection).replace_holdings(uuid4(), book)
    time, processes = Time(), []
    processes = [_process(world, httpserver, time) for _ in range(2)]
    asked_by_day: list[int] = []

    for day in range(4):
        before = len(httpserver.log)
        for hour in range(4):
            provider, ledger = processes[(day + hour) % 2]
            await _fetch(world, make_run(first_session=LAST, last_session=LAST, symbols=tuple(names)), provider, ledger)
            time.instant += timedelta(hours=1, seconds=1)
        asked_by_day.append(len(httpserver.log) - before)
        time.instant += timedelta(hours=20, seconds=1)
        processes[day % 2] = _process(world, httpserver, time)  # as after a crash

    for provider, _ in processes:
        await provider.close()
    asked = [request.path.split("/")[3].replace("-", ".") for request, _ in httpserver.log]
    assert len(asked) == len(set(asked)) == 51, "everybody once: the symbols and the proxy"
    assert asked_by_day == [20, 20, 11, 0], "and never more than a day has"
    oldest_first = sorted(held, key=lambda name: held[name])
    assert asked == [world.market, *oldest_first, *names[:10], *names[40:]]
    assert [name for name in names if not await world.bars(name)] == []


async def test_backfill_leaves_the_runs_of_today_a_share_and_pauses_nobody(world: World) -> None:
    ledger = VendorLedger(world.service.unit_of_work, Time())
    tonight, past = (make_run(first_session=LAST, last_session=LAST, kind=kind) for kind in ("nightly", "backfill"))

    with asking_for(past):
        taken = [await ledger.take("tiingo", SMALL) for _ in range(6)]
    with asking_for(tonight):
        tonight_taken = [await ledger.take("tiingo", SMALL) for _ in range(5)]

    assert taken == [None] * 4 + [Spent(3_600.0, reserved=True)] * 2
    assert tonight_taken == [None] * 4 + [Spent(3_600.0)]
    async with world.service.unit_of_work.reading() as connection:
        rows = await connection.execute(
            sa.text("SELECT run_id, requests FROM run_requests WHERE vendor = 'tiingo' AND run_id = ANY(:runs)"),
            {"runs": [past.run_id, tonight.run_id]},
        )
        assert dict(rows.all()) == {past.run_id: 4, tonight.run_id: 4}


async def test_symbols_that_a_backfill_had_no_requests_for_stay_open_and_no_breaker_opens(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _known(monkeypatch, world)
    tiingo_server.serve(httpserver, key="key")
    provider, ledger = _process(world, httpserver, Time())
    names = tuple(world.name(f"S{number}") for number in range(6))
    run = make_run(first_session=LAST, last_session=LAST, symbols=names, kind="backfill")

    await _fetch(world, run, provider, ledger)

    await provider.close()
    said = await world.items(f"/attempts/{names[-1]}")
    assert [(each["outcome"], each["detail"]) for each in said if each["kind"] == "bars"] == [
        ("failed", "what the plan allows backfills is spent for 3600 s, the rest is for today")
    ]
    assert (len(httpserver.log), await ledger.refusal("tiingo", "bars")) == (4, None)


async def test_run_before_a_vendor_has_the_session_waits_and_takes_nobody_elses(world: World) -> None:
    name, new = world.name("MINE"), world.name("NEW")
    world.directory.add(world.market, name, new, last=LAST)
    world.directory.write()
    massive, tiingo = (AskedProvider(world.directory.path, vendor) for vendor in ("massive", "tiingo"))
    world.providers[:] = [massive, tiingo]
    await world.run(name, last=shift_session(LAST, -1))
    time = Time()
    world.gate = VendorLedger(world.service.unit_of_work, time, {"massive": PLANS["massive"]["free"]})
    asked = len(massive.asked)
    tiingo.asked.clear()  # a sample of the first night's closes

    early = await world.run(name, new, last=LAST)
    said = await world.items(f"/attempts/{name}")
    elsewhere = [symbols for symbols, _, _ in tiingo.asked]
    in_between = [(bar.session, bar.source) for bar in await world.bars(name)][-1]
    time.instant = datetime(2022, 12, 29, 5, tzinfo=UTC)
    await world.run(name, new, last=LAST)

    until = "2022-12-28 is complete there from 2022-12-29 05:00 UTC on"
    assert until in early.failures()[name]
    assert [(each["provider"], each["outcome"], each["detail"]) for each in said if each["kind"] == "bars"] == [
        ("massive", "not asked", until),
        ("tiingo", "not asked", "its bars are those of massive, which is late"),
    ]
    assert elsewhere == [(new,)], "only of whom nobody has given anything"
    assert in_between == (shift_session(LAST, -1), "massive")
    assert len(massive.asked) > asked
    assert [(bar.session, bar.source) for bar in await world.bars(name)][-1] == (LAST, "massive")


@pytest.fixture
async def whole_market(world: World) -> AsyncIterator[list[str]]:
    """5,000 symbols with a bar on each of the last sessions but the newest, as a first load leaves them."""
    names = [world.name(f"M{number:04d}") for number in range(5_000)]
    async with world.service.unit_of_work() as uow:
        await MarketDataRepository(uow.connection).store_instruments([*names, world.market])
        bars = """
            INSERT INTO bars (symbol_id, session, close, adjusted, split, dividend, source, fetched_at, revision)
            SELECT symbol_id, session, 100, 100, 1, 0, 'massive', now(), 1
            FROM instruments, unnest(CAST(:sessions AS date[])) AS session WHERE symbol LIKE :mine
        """
        sessions = [shift_session(LAST, -number) for number in range(1, 8)]
        await uow.connection.execute(sa.text(bars), {"sessions": sessions, "mine": f"{world.prefix}%"})
        settled = """
            UPDATE instruments SET checked_first = '2020-01-02', checked_through = :before, derived = true,
                checked_edition = 'massive=1', profile_fetched_at = now() WHERE symbol LIKE :mine
        """
        before = shift_session(LAST, -1)
        await uow.connection.execute(sa.text(settled), {"before": before, "mine": f"{world.prefix}%"})
    yield names
    async with world.service.unit_of_work() as uow:
        mine = "(SELECT symbol_id FROM instruments WHERE symbol LIKE :mine)"
        for table in ("bars", "delivered_bars"):
            await uow.connection.execute(
                sa.text(f"DELETE FROM {table} WHERE symbol_id IN {mine}"), {"mine": f"{world.prefix}%"}
            )


async def test_night_of_five_thousand_symbols_costs_a_bulk_vendor_at_most_ten_requests(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, whole_market: list[str]
) -> None:
    every = [*whole_market, world.market]
    sessions = {bar.day: {"c": 100.0, "o": 100.0, "h": 101.0, "l": 99.0, "v": 10} for bar in history("AAPL")}

    def rows_of(request: object) -> object:
        on = date.fromisoformat(request.path.rsplit("/", 1)[1])  # type: ignore[attr-defined]
        stamp = int(datetime.combine(on, datetime.min.time(), ZoneInfo("America/New_York")).timestamp()) * 1000
        rows = [{"T": name, **sessions[on], "t": stamp} for name in every]
        return as_json(massive_server.ok(rows))

    httpserver.expect_request(re.compile("/v2/aggs/grouped/.*")).respond_with_handler(rows_of)  # type: ignore[arg-type]
    massive_server.serve(httpserver, key="key")
    ledger = VendorLedger(world.service.unit_of_work, Time())
    plan = Plan((Window(10, 3_600.0),), history_days=720)
    take = partial(ledger.take, "massive", plan)
    provider = MassiveProvider(
        Access(httpserver.url_for(""), SecretStr("key"), take=take, answers=ledger.answers("massive"))
    )
    world.plans = {"massive": plan}
    run = make_run(first_session=LAST, last_session=LAST, symbols=tuple(whole_market), kind=RunKind.NIGHTLY)

    await _fetch(world, run, provider, ledger)

    await provider.close()
    counted = await world.get("/vendors/requests", run_id=run.run_id)
    assert len(httpserver.log) == 4, "two sessions, their splits and their dividends"
    assert counted == {"vendors": [{"vendor": "massive", "estimated": 4, "requests": 4}]}
    stored = "SELECT count(*) FROM bars JOIN instruments USING (symbol_id) WHERE session = :last AND symbol LIKE :mine"
    (row,) = await world.rows(stored, last=LAST, mine=f"{world.prefix}%")
    assert row.count == 5_001


# vendor -> address -> how often it is asked in a first load of 50 symbols and the proxy, and in the night
# after it: two shards and one, of companies whose next earnings nobody knows
COSTS: dict[str, dict[str, tuple[int, int]]] = {
    "tiingo": {"/tiingo/daily": (51, 51)},
    "yahoo": {"/v8/finance/chart": (51, 51)},
    "yahooquery": {"/v7/finance/quote": (2, 1), "/v10/finance/quoteSummary": (51, 0), "/ws/fundamentals": (51, 51)},
    "fmp": {"/stable/profile": (51, 51), "/stable/earnings-calendar": (1, 0), "statement": (306, 306)},
}


@pytest.mark.parametrize("vendor", COSTS)
async def test_first_load_and_night_cost_each_vendor_what_is_estimated(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    for server in (tiingo_server, yahoo_server):
        monkeypatch.setattr(server, "history", lambda _: history("KO"))
    for companies in (fmp_server, yahooquery_server):
        monkeypatch.setattr(companies, "name_of", lambda _: "Fizz Bottlers Co.")
    for keyed in (tiingo_server, fmp_server):
        keyed.serve(httpserver, key="key")
    for keyless in (yahoo_server, yahooquery_server):
        keyless.serve(httpserver)
    ledger = VendorLedger(world.service.unit_of_work, Time())
    take = partial(ledger.take, vendor, UNLIMITED)
    url = httpserver.url_for("").rstrip("/")
    provider = VENDORS[vendor](Access(url, SecretStr("key"), take=take, cookies_url=f"{url}/cookies"))  # type: ignore[index]
    world.plans, world.gate = {vendor: UNLIMITED}, ledger
    names = tuple(world.name(f"S{number:02d}") for number in range(50))
    asked: list[dict[str, int]] = []

    for before in (1, 0):
        session, start = shift_session(LAST, -before), len(httpserver.log)
        world.now = NOW - timedelta(days=before)
        run = make_run(first_session=session, last_session=session, symbols=names)
        await _fetch(world, run, provider, ledger)
        paths = [request.path for request, _ in httpserver.log[start:]]
        asked.append({path: sum(path in each for each in paths) for path in COSTS[vendor]})
        (counted,) = (await world.get("/vendors/requests", run_id=run.run_id))["vendors"]
        assert sum(asked[-1].values()) <= counted["estimated"], "at most"

    await provider.close()  # type: ignore[attr-defined]
    assert asked == [{path: cost[run] for path, cost in COSTS[vendor].items()} for run in (0, 1)]
