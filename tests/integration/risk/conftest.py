from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.risk.core.scenarios import RateSensitivity
from services.risk.fan_out import fan_out_books
from services.risk.handlers.assess_portfolios import assess_portfolios
from services.risk.handlers.store_betas import store_betas
from services.risk.handlers.store_books import store_books
from services.risk.handlers.store_profiles import store_profiles
from services.risk.main import build
from shared.bus.fan_in import FanIn
from shared.clock import FixedClock
from shared.contracts.event import Event
from shared.contracts.market_data import PricesUpdated, ProfilesUpdated
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.contracts.run import Run
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.factor_set import FactorSet
from shared.paths import API
from shared.prices.panel import PricePanel
from shared.prices.store_prices import store_prices
from shared.service import Service, build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.databases import VIEWER_TOKEN, ServiceDatabase
from tests.support.outbox import EVENTS_OF_RUN, event_of
from tests.support.runs import make_run

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)

E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class Risk:
    """The handlers of risk on a database, without a broker: what is announced stays in the outbox."""

    service: Service
    panel: PricePanel
    fan_in: FanIn

    async def deliver(self, *events: Event) -> None:
        """Call the handler of each event in a transaction of its own."""
        for event in events:
            async with self.service.unit_of_work() as uow:
                match event:
                    case PricesUpdated():
                        await store_prices(event, uow, fan_in=self.fan_in)
                    case ProfilesUpdated():
                        await store_profiles(event, uow, fan_in=self.fan_in)
                    case SymbolsFactored():
                        await store_betas(event, uow, fan_in=self.fan_in)
                    case PortfoliosValued():
                        await store_books(event, uow, fan_in=self.fan_in)
                    case RiskDue():
                        await assess_portfolios(
                            event, uow, panel=self.panel, factor_set=FactorSet(), rate=RateSensitivity()
                        )
                    case _:
                        raise AssertionError(f"risk does not read {event.topic}")

    async def assess(self, *events: Event) -> list[PortfoliosAssessed]:
        """Deliver the events of one run and what risk announces to itself; return what it announces in the end."""
        run = events[0].run
        await self.deliver(*events)
        await self.deliver(*await self.announced(RiskDue, run))
        return await self.announced(PortfoliosAssessed, run)

    async def announced(self, event_type: type[E], run: Run) -> list[E]:
        """Return the events of a run in the outbox."""
        query = EVENTS_OF_RUN
        rows = await self.rows(query, topic=event_type.topic, run_id=run.run_id)
        return [event_of(event_type, row) for row in rows]

    async def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Read."""
        async with self.service.unit_of_work.reading() as connection:
            return list((await connection.execute(sa.text(query), parameters)).all())

    async def factor(self, portfolio_id: UUID, factor: str) -> Any:
        """Return the newest row of a factor."""
        query = "SELECT * FROM portfolio_factors WHERE portfolio_id = :id AND factor = :factor ORDER BY revision DESC"
        return (await self.rows(query, id=portfolio_id, factor=factor))[0]

    async def measures(self, portfolio_id: UUID) -> dict[str, Any]:
        """Return the newest measures, taken apart."""
        query = """
            SELECT m.* FROM (
                SELECT * FROM portfolio_measures_whole WHERE portfolio_id = :id ORDER BY revision DESC LIMIT 1
            ) newest, unnest(measures, values, values_reasons, values_details, coverages, coverages_reasons,
                observations, window_sessions) AS m (measure, value, reason, detail, coverage, coverage_reason,
                observations, window_sessions)
        """
        return {row.measure: row for row in await self.rows(query, id=portfolio_id)}

    async def sectors(self, portfolio_id: UUID) -> dict[str, Any]:
        """Return the newest row of each sector."""
        query = "SELECT * FROM portfolio_sectors WHERE portfolio_id = :id ORDER BY revision"
        return {row.sector: row for row in await self.rows(query, id=portfolio_id)}


@pytest.fixture(scope="module")
async def risk_database(service_database: MakeServiceDatabase) -> ServiceDatabase:
    return await service_database("risk")


@pytest.fixture(scope="module")
async def risk(risk_database: ServiceDatabase) -> AsyncIterator[Risk]:
    service = build(risk_database.common)
    streams = (PricesUpdated.topic, ProfilesUpdated.topic, SymbolsFactored.topic)
    fan_out = partial(fan_out_books, factor_set=FactorSet())
    yield Risk(service, PricePanel(service.engine), FanIn("inputs", streams=streams, fan_out=fan_out))
    await service.engine.dispose()


@pytest.fixture(scope="module")
async def served(risk_database: ServiceDatabase) -> AsyncIterator[Service]:
    """The service as it answers."""
    service = build(risk_database.common, clock=FixedClock(NOW))
    yield service
    await service.engine.dispose()


@pytest.fixture
async def client(served: Service, risk_database: ServiceDatabase) -> AsyncIterator[httpx.AsyncClient]:
    # For every test one that has asked for nothing yet: there are limits to that.
    app = build_app([served], risk_database.common, title="risk")
    headers = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://risk{API}", headers=headers) as connected:
        yield connected


async def assessed_book(risk: Risk, *, sessions: int = 510) -> tuple[UUID, tuple[str, ...]]:
    """Assess a book of three symbols with betas of 1.2 and prices of the factors' proxies."""
    run, portfolio_id = make_run(), uuid4()
    symbols = new_symbols(3)
    proxies = {ticker: closes(sessions, seed=50 + index) for index, ticker in enumerate(FactorSet().tickers())}
    prices = {symbol: closes(sessions, seed=index) for index, symbol in enumerate(symbols)}
    await risk.assess(
        priced(run, {**prices, **proxies}),
        profiled(run, dict.fromkeys(symbols, "Energy")),
        factored(run, dict.fromkeys(symbols, 1.2)),
        valued(run, book(portfolio_id, dict(zip(symbols, (100_000.0, 60_000.0, -40_000.0), strict=True)))),
    )
    return portfolio_id, symbols
