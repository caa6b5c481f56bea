from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.plans import Plan
from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.handlers.plan_run import plan_run
from services.market_data.main import build
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.gate import AlwaysOpen, Gate
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.provider import FetchedBars, FetchedProfiles, FetchedStatements
from services.market_data.settings import Access, MarketDataSettings
from services.market_data.storage.identifier_repository import StoredRegister
from services.market_data.storage.onboarding_repository import OnboardingLimits
from shared.clock import FixedClock, SessionClock
from shared.contracts.event import Event
from shared.contracts.market_data import (
    FundamentalsUpdated,
    MarketDataDue,
    PriceBlock,
    PricesUpdated,
    ProfilesUpdated,
    Statement,
)
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.scheduler import BatchTriggered
from shared.factor_set import FactorSet
from shared.paths import API
from shared.service import Service, build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.support.databases import OPERATOR_TOKEN, VIEWER_TOKEN
from tests.support.price_directories import PriceDirectory
from tests.support.runs import make_run
from tests.unit.market_data.providers.vendors import massive_server

E = TypeVar("E", bound=Event)

NOW: Final = datetime(2022, 12, 29, 3, 0, tzinfo=UTC)
MASSIVE_KEY: Final = "canary-31d8"
_worlds = count(1)


class AskedProvider(FilesProvider):
    """The `files` provider, which remembers what it was asked for; a second one may have another name."""

    def __init__(self, directory: Path, name: str = "files") -> None:
        super().__init__(directory)
        self.name = name  # type: ignore[misc]
        self.asked: list[tuple[tuple[str, ...], date, date]] = []
        self.asked_profiles: list[str] = []
        self.asked_statements: list[str] = []

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Remember the question and answer it."""
        self.asked.append((tuple(symbols), first, last))
        return await super().fetch_bars(symbols, first, last)

    async def fetch_profiles(self, symbols: Sequence[str], tiers: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Remember the question and answer it."""
        self.asked_profiles += symbols
        return await super().fetch_profiles(symbols, tiers)

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Remember the question and answer it."""
        self.asked_statements += symbols
        return await super().fetch_statements(symbols)


@dataclass(frozen=True, slots=True)
class Announced:
    """What a run of market_data has published."""

    due: list[MarketDataDue]
    prices: list[PricesUpdated]
    profiles: list[ProfilesUpdated]
    fundamentals: list[FundamentalsUpdated]

    @property
    def blocks(self) -> list[PriceBlock]:
        """The blocks of all parts that hold bars."""
        return [block for event in self.prices for block in event.blocks if block.symbols]

    @property
    def statements(self) -> list[Statement]:
        """The statements of all parts."""
        return [statement for event in self.fundamentals for statement in event.statements]

    def sessions_of(self, symbol: str) -> list[date]:
        """The sessions on which a symbol is announced with a bar."""
        return [
            session
            for block in self.blocks
            if symbol in block.symbols
            for session, close in zip(block.sessions, block.close[block.symbols.index(symbol)], strict=True)
            if close is not None
        ]

    def failures(self) -> dict[str, str]:
        """The symbols that should have prices and have none, with the detail."""
        return {failure.subject: failure.detail for event in self.prices for failure in event.failures}


@dataclass(slots=True)
class World:
    """A directory of prices with symbols of its own, and the handlers of market_data over it, without a broker."""

    service: Service
    client: httpx.AsyncClient
    directory: PriceDirectory
    prefix: str
    providers: list[AskedProvider] = field(default_factory=list)
    now: datetime = NOW
    gate: Gate = field(default_factory=AlwaysOpen)
    plans: dict[str, Plan] = field(default_factory=dict)

    @property
    def market(self) -> str:
        """The proxy that belongs to every run."""
        return self.name("MKT")

    def name(self, symbol: str) -> str:
        """Return the symbol under a name that no other world uses."""
        return f"{self.prefix}{symbol}"

    async def run(
        self, *symbols: str, last: date, first: date | None = None, opened_on: date | None = None
    ) -> Announced:
        """Plan a run over these symbols, of a book opened then, fetch its shards, and return what was announced."""
        run = make_run(first_session=first or last, last_session=last, symbols=symbols)
        await self.plan(run, opened_on=opened_on)
        return await self.fetch(run)

    async def fetch(self, run: Run) -> Announced:
        """Fetch the shards of a run that was planned, and return what was announced."""
        for due in await self._published(MarketDataDue, run):
            async with self.service.unit_of_work() as uow:
                register = StoredRegister(self.service.unit_of_work)
                chain = ProviderChain(self.providers, gate=self.gate, register=register)
                await fetch_shard(due, uow, chain=chain, clock=SessionClock(FixedClock(self.now)))
        return await self.announced(run)

    async def announced(self, run: Run) -> Announced:
        """Return what a run has published."""
        return Announced(
            due=await self._published(MarketDataDue, run),
            prices=await self._published(PricesUpdated, run),
            profiles=await self._published(ProfilesUpdated, run),
            fundamentals=await self._published(FundamentalsUpdated, run),
        )

    async def plan(self, run: Run, *, opened_on: date | None = None) -> list[MarketDataDue]:
        """Plan a run, an onboarding of a book that was opened then, and return its shards."""
        factor_set = FactorSet(**dict.fromkeys(FactorSet.model_fields) | {"market": self.market})
        async with self.service.unit_of_work() as uow:
            triggered: Event = BatchTriggered(run=run, part=ONLY_PART)
            if opened_on is not None:
                triggered = SymbolsOnboarding(run=run, part=ONLY_PART, opened_on=opened_on)
            await plan_run(
                triggered,
                uow,
                factor_set=factor_set,
                chain=ProviderChain(self.providers),
                plans=self.plans,
                onboardings=OnboardingLimits(1, timedelta()),
            )
        return await self._published(MarketDataDue, run)

    async def get(self, path: str, **query: Any) -> Any:
        """Read over HTTP."""
        return (await self.client.get(path, params=query)).raise_for_status().json()

    async def send(self, path: str, **body: Any) -> httpx.Response:
        """Send over HTTP, as an operator."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        return await self.client.post(path, json=body, headers=headers)

    async def items(self, path: str, **query: Any) -> Any:
        """Read a list over HTTP that fits into a page."""
        page = await self.get(path, **query)
        assert page["next"] is None
        return page["items"]

    async def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Read."""
        async with self.service.unit_of_work.reading() as connection:
            return list((await connection.execute(sa.text(query), parameters)).all())

    async def bars(self, symbol: str) -> list[Any]:
        """Return the stored bars of a symbol, oldest first."""
        query = "SELECT b.* FROM bars b JOIN instruments USING (symbol_id) WHERE symbol = :symbol ORDER BY session"
        return await self.rows(query, symbol=symbol)

    async def _published(self, event_type: type[E], run: Run) -> list[E]:
        query = "SELECT value FROM outbox WHERE topic = :topic AND run_id = :run_id ORDER BY id"
        rows = await self.rows(query, topic=event_type.topic, run_id=run.run_id)
        return [event_type.model_validate_json(row.value) for row in rows]


@pytest.fixture(scope="module")
async def market_data(service_database: MakeServiceDatabase) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    database = await service_database("market_data")
    service = build(database.common, MarketDataSettings(providers=("sample",)), clock=FixedClock(NOW))
    transport = httpx.ASGITransport(app=build_app([service], database.common, title="market_data"))
    headers = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://market-data{API}", headers=headers) as client:
        yield service, client
    await service.engine.dispose()


@pytest.fixture
def world(market_data: tuple[Service, httpx.AsyncClient], tmp_path: Path) -> World:
    prefix = f"W{next(_worlds)}."
    return World(*market_data, PriceDirectory(tmp_path), prefix, [AskedProvider(tmp_path)])


@pytest.fixture
async def over_massive(world: World, httpserver: HTTPServer) -> AsyncIterator[World]:
    """Return a world in which massive is asked for everything, over a server that speaks its shapes."""
    massive_server.serve(httpserver, key=MASSIVE_KEY)
    massive = MassiveProvider(Access(httpserver.url_for(""), SecretStr(MASSIVE_KEY)))
    world.providers[:] = [massive]  # type: ignore[list-item]
    world.now = datetime(2022, 3, 31, 3, 0, tzinfo=UTC)
    yield world
    await massive.close()
