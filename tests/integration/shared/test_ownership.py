"""Whose a portfolio is decides who reads it: every route, by every role, of every owner; the database says the same."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from services.market_data.main import build as build_market_data
from services.portfolio.fan_out import fan_out_portfolios
from services.portfolio.main import build as build_portfolio
from services.risk.fan_out import fan_out_books
from services.risk.handlers.store_owner import store_owner
from services.risk.main import build as build_risk
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.main import build as build_scheduler
from services.symbol_analytics.main import build as build_symbol_analytics
from shared import service as hosting
from shared.auth import ACCESS
from shared.bus.fan_in import FanIn
from shared.clock import FixedClock
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.services import SERVICES
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.ownership import OWNERS, reader_of
from shared.factor_set import FactorSet
from shared.paths import API
from shared.prices.panel import PricePanel
from shared.principal import Principal, Role
from shared.service import Service, build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.integration.portfolio.conftest import NOW, WEEK, Books, new_name
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import closes, factored, priced, profiled
from tests.support.databases import OPERATOR_TOKEN, VIEWER_TOKEN, ServiceDatabase
from tests.support.people import SESSION_KEY, signed_in

MONDAY, FRIDAY = WEEK[0], WEEK[-1]
ABSENT: Final = UUID(int=7)
CLOSES: Final = {day: 100.0 + place for place, day in enumerate(WEEK)}
ADA, BOB = Principal("ada", Role.OWNER), Principal("bob", Role.OWNER, ("desk",))
CALLERS: Final[Mapping[str, tuple[Role, Mapping[str, str]]]] = {
    "nobody": (Role.ANYONE, {}),
    "ada": (Role.OWNER, signed_in(ADA)),
    "bob of the desk": (Role.OWNER, signed_in(BOB)),
    "a viewer": (Role.VIEWER, signed_in(Principal("val", Role.VIEWER))),
    "the viewer's token": (Role.VIEWER, {"Authorization": f"Bearer {VIEWER_TOKEN}"}),
}
OPERATOR: Final = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
END_OTHERS: Final = sa.text(
    "UPDATE runs SET status = 'completed', finished_at = now() "
    "WHERE status = 'active' AND run_id <> :night RETURNING run_id"
)
REOPEN: Final = sa.text("UPDATE runs SET status = 'active', finished_at = NULL WHERE run_id = ANY(:active)")
THEIRS: Final = {"ada": "ada", "bob of the desk": "group:desk"}


@dataclass(slots=True)
class Platform:
    """All services on a database, with a portfolio of each owner that has been valued and assessed."""

    app: FastAPI
    database: ServiceDatabase
    books: Books
    risk: Risk
    scheduler: Service
    portfolios: dict[str, str]
    runs: dict[str, str]
    answers: dict[tuple[str, str], dict[str, tuple[int, str]]] = field(default_factory=dict)

    def client(self, headers: Mapping[str, str]) -> httpx.AsyncClient:
        """Return a client that sends these headers."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=f"http://all{API}", headers=headers)

    async def hear(self, run_id: str) -> None:
        """Let risk and the scheduler hear what was said of a book."""
        (stated,) = await self.books.announced(SymbolsOnboarding, UUID(run_id))
        await self.hear_of(stated)

    async def hear_of(self, stated: SymbolsOnboarding) -> None:
        """Let risk and the scheduler hear a statement."""
        async with self.risk.service.unit_of_work() as uow:
            await store_owner(stated, uow)
        async with self.scheduler.unit_of_work() as uow:
            await record_progress(stated, uow)

    async def enter(self, owner: str) -> None:
        """Enter a portfolio, value and assess it."""
        symbol = new_name("O")
        entered = await self.books.open((symbol, "10", MONDAY, "100"), owner=owner or None)
        self.portfolios[owner], self.runs[owner] = entered["portfolio_id"], entered["run_id"]
        await self.hear(entered["run_id"])
        run = await self.books.request(entered["run_id"])
        valued = await self.books.value(run, {symbol: CLOSES})
        factors = factored(run, {symbol: 1.0}, as_of=FRIDAY)
        await self.risk.assess(priced(run, {symbol: closes(seed=1)}), profiled(run, {}), factors, *valued)


@pytest.fixture(scope="module")
async def platform(service_database: MakeServiceDatabase) -> AsyncIterator[Platform]:
    database = await service_database(*SERVICES)
    common, clock = database.common.model_copy(update={"session_key": SESSION_KEY}), FixedClock(NOW)
    portfolio, scheduler, risk = (
        build(common, clock=clock) for build in (build_portfolio, build_scheduler, build_risk)
    )
    services = [portfolio, scheduler, risk, build_market_data(common), build_symbol_analytics(common)]
    app = build_app(services, common, title="all")
    inputs = FanIn("inputs", streams=(PricesUpdated.topic, ProfilesUpdated.topic), fan_out=fan_out_portfolios)
    streams = (PricesUpdated.topic, ProfilesUpdated.topic, SymbolsFactored.topic)
    of_risk = FanIn("inputs", streams=streams, fan_out=partial(fan_out_books, factor_set=FactorSet()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://all{API}", headers=OPERATOR) as operator:
        books = Books(portfolio, PricePanel(portfolio.engine), inputs, operator)
        made = Platform(app, database, books, Risk(risk, PricePanel(risk.engine), of_risk), scheduler, {}, {})
        for owner in ("ada", "group:desk", ""):
            await made.enter(owner)
        yield made
    for service in services:
        await service.engine.dispose()


def _asked(platform: Platform, subject: str) -> Iterator[tuple[str, str, str]]:
    """Yield every route in which a portfolio is named, with the method and the address that asks for it."""
    portfolio_id = platform.portfolios.get(subject, str(ABSENT))
    values = {"measure": "equity", "batch_run_id": platform.runs.get(subject, str(ABSENT))}
    values |= {"position_id": str(ABSENT), "flow_id": str(ABSENT), "portfolio_id": portfolio_id}
    for path, operations in platform.app.openapi()["paths"].items():
        for method, operation in operations.items():
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            if "portfolio_id" not in named:
                continue
            route = f"{method.upper()} {path.removeprefix(API)}"
            filled = path.removeprefix(API).replace("/risk/portfolios/{portfolio_id}/explain/{measure}", "")
            filled = filled or f"/risk/portfolios/{portfolio_id}/explain/market_beta"
            address = filled.format(**values)
            yield route, method, address if "{portfolio_id}" in path else f"{address}?portfolio_id={portfolio_id}"


async def _answers(platform: Platform, headers: Mapping[str, str], subject: str) -> dict[str, tuple[int, str]]:
    async with platform.client(headers) as client:
        found = {}
        for route, method, address in _asked(platform, subject):
            if headers is OPERATOR and method != "get":
                continue
            answer = await client.request(method, address)
            text = answer.text.replace(platform.portfolios.get(subject, str(ABSENT)), "ID")
            text = text.replace(platform.runs.get(subject, str(ABSENT)), "ID")
            found[route] = (answer.status_code, text)
    return found


async def _kept_answers(platform: Platform, headers: Mapping[str, str], subject: str) -> dict[str, tuple[int, str]]:
    key = (str(headers), subject)
    if key not in platform.answers:
        platform.answers[key] = await _answers(platform, headers, subject)
    return platform.answers[key]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("subject", ["ada", "group:desk", "", "absent"])
async def test_every_route_answers_every_role_as_whose_the_portfolio_is(
    platform: Platform, caller: str, subject: str
) -> None:
    role, headers = CALLERS[caller]
    found, known, absent = [
        await _kept_answers(platform, *asked)
        for asked in ((headers, subject), (OPERATOR, subject), (headers, "absent"))
    ]
    assert len(found) >= 30

    for route, answered in found.items():
        needed, sees = ACCESS[route], role > Role.OWNER or THEIRS.get(caller) == subject
        if role is Role.ANYONE:
            assert answered[0] == 401, route
        elif role < needed:
            assert answered[0] == 403, route
        elif sees and route != "GET /admin/batch/data-quality":  # which says when it was asked
            assert answered == known[route], route
        elif not sees:
            # As if it were not there, to the letter.
            assert answered == absent[route], route
            assert answered[0] == 404, route
    if THEIRS.get(caller) == subject:
        assert [answered[0] for route, answered in found.items() if ACCESS[route] is Role.OWNER].count(200) >= 14


@pytest.mark.parametrize("caller", THEIRS)
async def test_lists_show_what_is_theirs(platform: Platform, caller: str) -> None:
    own = platform.portfolios[THEIRS[caller]]
    foreign = {*platform.portfolios.values(), *platform.runs.values()} - {own, platform.runs[THEIRS[caller]]}
    showing = set()
    async with platform.client(CALLERS[caller][1]) as client:
        for route, needed in ACCESS.items():
            method, path = route.split(" ")
            if method != "GET" or "{" in path or needed is not Role.OWNER:
                continue
            answer = await client.get(path)
            assert answer.status_code == 200, (route, answer.text)
            assert not [each for each in foreign if each in answer.text], route
            showing |= {path} if own in answer.text or platform.runs[THEIRS[caller]] in answer.text else set()
    assert showing == {"/portfolios", "/snapshots", "/position-values", "/risk", "/readiness", "/runs"}


async def test_runs_of_others_and_nights_are_not_there(platform: Platform) -> None:
    async with platform.client(OPERATOR) as operator:
        asked = await operator.post("/runs", json={"kind": "nightly", "last_session": str(FRIDAY)})
    night = asked.raise_for_status().json()["run"]["run_id"]
    runs = [platform.runs["group:desk"], platform.runs[""], night, str(uuid4())]
    own = platform.runs["ada"]
    async with platform.client(CALLERS["ada"][1]) as ada:
        for below in ("", "/causes", "/log"):
            assert (await ada.get(f"/runs/{own}{below}")).status_code == 200
        for below in ("", "/causes", "/log", "/events"):
            for run_id in runs:
                answer = await ada.get(f"/runs/{run_id}{below}")
                assert (answer.status_code, run_id) == (404, run_id), below


async def test_owner_waits_for_a_night_without_hearing_of_it(platform: Platform) -> None:
    own, said = platform.portfolios["ada"], []
    async with platform.client(OPERATOR) as operator:
        asked = await operator.post("/runs", json={"kind": "nightly", "last_session": str(FRIDAY)})
    night = asked.raise_for_status().json()["run"]["run_id"]
    async with platform.scheduler.unit_of_work() as uow:
        active = (await uow.connection.scalars(END_OTHERS, {"night": UUID(night)})).all()
    for headers in (OPERATOR, CALLERS["ada"][1]):
        async with platform.client(headers) as client:
            lines = (await client.get(f"/readiness?as_of={FRIDAY}")).json()["items"]
            (line,) = [each for each in lines if each["portfolio_id"] == own]
            said.append((line, (await client.get(f"/readiness/{own}?as_of={FRIDAY}")).json()))
    async with platform.scheduler.unit_of_work() as uow:
        await uow.connection.execute(REOPEN, {"active": active})
    (known, known_detail), (told, told_detail) = said
    assert night in known["cause"]
    assert night in str(known_detail)
    assert (told["state"], told["cause"]) == (known["state"], "it is being computed")
    assert night not in str(told_detail)
    assert [cause["kind"] for cause in told_detail["causes"]] == [cause["kind"] for cause in known_detail["causes"]]


async def test_dead_letters_that_are_counted_are_those_of_their_own_runs(platform: Platform) -> None:
    letter = sa.text(
        "INSERT INTO dead_letters (topic, partition_number, position, consumer, run_id, reason, detail, attempts, "
        "value, headers) VALUES ('t', 0, :position, 'c', :run_id, 'r', 'd', 1, '', '[]')"
    )
    rows = [{"position": place, "run_id": UUID(run_id)} for place, run_id in enumerate(platform.runs.values())]
    async with platform.scheduler.unit_of_work() as uow:
        await uow.connection.execute(letter, rows)
    counts = []
    for headers in (CALLERS["ada"][1], CALLERS["bob of the desk"][1], OPERATOR):
        async with platform.client(headers) as client:
            counts.append((await client.get(f"/readiness?as_of={FRIDAY}")).json()["dead_letters"])
    async with platform.scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("DELETE FROM dead_letters WHERE topic = 't'"))
    assert counts == [1, 1, len(rows)]


async def test_metrics_are_those_of_the_platform_whoever_asks(platform: Platform) -> None:
    async with platform.client(CALLERS["ada"][1]) as client:
        answer = await client.get("http://all/metrics")
    assert answer.status_code == 200
    databases = [line for line in answer.text.splitlines() if line.startswith("sigmasight_database_up{")]
    assert [line.rpartition(" ")[2] for line in databases] == ["1.0"] * len(SERVICES), databases


async def test_without_the_first_line_the_database_shows_nothing_of_others(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everything(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(hosting, "owns_all", everything)
    found = await _answers(platform, CALLERS["ada"][1], "group:desk")
    absent = await _answers(platform, CALLERS["ada"][1], "absent")
    for route, answered in found.items():
        assert answered == absent[route], route


async def test_owner_is_changed_by_operators_only_and_everybody_hears_of_it(platform: Platform) -> None:
    await platform.enter("carl")
    portfolio_id, then = platform.portfolios.pop("carl"), {"as_of": str(FRIDAY)}
    platform.runs.pop("carl")
    carl, dora = (signed_in(Principal(name, Role.OWNER)) for name in ("carl", "dora"))
    async with platform.client(carl) as client:
        refused = await client.patch(f"/portfolios/{portfolio_id}", json={"owner": "carl"}, params=then)
        made = await client.post("/portfolios", json={"name": "x", "opening_equity": "1", "owner": "carl"})
    assert (refused.status_code, made.status_code) == (403, 403)

    given = await platform.books.client.patch(f"/portfolios/{portfolio_id}", json={"owner": "dora"}, params=then)
    await platform.hear(given.raise_for_status().json()["run_id"])

    for headers, status in ((carl, 404), (dora, 200)):
        async with platform.client(headers) as client:
            for path in (
                f"/portfolios/{portfolio_id}",
                f"/risk/portfolios/{portfolio_id}",
                f"/readiness/{portfolio_id}",
            ):
                assert (await client.get(path)).status_code == status, path
    (edit,) = (await platform.books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    assert (edit["before"], edit["after"]) == ({"owner": "carl"}, {"owner": "dora"})


@pytest.mark.parametrize(
    "body", [{}, {"name": None}, {"owner": "a b"}, {"owner": ""}, {"owner": "group:"}, {"role": "x"}]
)
async def test_description_that_says_nothing_or_no_owner_is_refused(platform: Platform, body: dict[str, Any]) -> None:
    answer = await platform.books.client.patch(f"/portfolios/{platform.portfolios['ada']}", json=body)
    assert answer.status_code == 422


async def _tables(connection: asyncpg.Connection, service: str) -> dict[str, bool]:
    """Return the tables with a portfolio in them, and whether they have row-level security."""
    rows = await connection.fetch(
        """
        SELECT relname, relrowsecurity FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
        WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND attname = 'portfolio_id'
        """,
        service,
    )
    return {row["relname"]: row["relrowsecurity"] for row in rows}


@pytest.mark.parametrize("service", SERVICES)
async def test_reader_sees_rows_of_owners_and_nothing_without_one(platform: Platform, service: str) -> None:
    connection = await asyncpg.connect(platform.database.url(service).get_secret_value())
    try:
        await connection.execute(f"SET search_path TO {service}")
        tables = await _tables(connection, service)
        if service not in OWNERS:
            # Nobody reads for owners what does not know whose it is.
            assert not any(tables.values())
            assert await connection.fetchval("SELECT to_regrole($1)", reader_of(service)) is None
            return
        ada = UUID(platform.portfolios["ada"])
        rows = {
            table: await connection.fetchval(f"SELECT count(*) FROM {table} WHERE portfolio_id = $1", ada)
            for table in tables
        }
        assert sum(1 for count in rows.values() if count) >= {"portfolio": 5, "risk": 9, "scheduler": 1}[service]
        await connection.execute(f"SET ROLE {reader_of(service)}")
        for table, secured in tables.items():
            if not secured:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval(f"SELECT count(*) FROM {table}")
                continue
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            await connection.execute("SELECT set_config('sigmasight.owners', 'ada', false)")
            seen = await connection.fetch(f"SELECT DISTINCT portfolio_id FROM {table}")
            assert [row["portfolio_id"] for row in seen] == ([ada] if rows[table] else []), table
            await connection.execute("RESET sigmasight.owners")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table}")
    finally:
        await connection.close()


async def test_older_statement_that_comes_again_gives_nothing_back(platform: Platform) -> None:
    (first,) = await platform.books.announced(SymbolsOnboarding, UUID(platform.runs["ada"]))
    before = first.model_copy(update={"portfolio_id": uuid4(), "owner": "ada", "edits": 1})
    after = before.model_copy(update={"owner": "bob", "edits": 2})

    for stated in (before, after, before):
        await platform.hear_of(stated)

    for service, table in ((platform.risk.service, "owners"), (platform.scheduler, "books")):
        async with service.unit_of_work.reading() as connection:
            query = sa.text(f"SELECT owner FROM {table} WHERE portfolio_id = :portfolio_id")
            assert await connection.scalar(query, {"portfolio_id": before.portfolio_id}) == "bob"
