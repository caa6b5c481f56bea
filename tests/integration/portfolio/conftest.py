from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeVar
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from services.portfolio.fan_out import fan_out_portfolios
from services.portfolio.handlers.store_prices import store_prices
from services.portfolio.handlers.store_profiles import store_profiles
from services.portfolio.handlers.value_portfolios import value_portfolios
from services.portfolio.main import build
from services.portfolio.settings import PortfolioSettings
from services.portfolio.storage.position_shelf import PositionShelf
from shared.bus.fan_in import FanIn
from shared.clock import FixedClock
from shared.contracts.event import Event
from shared.contracts.market_data import PriceBlock, PricesUpdated, Profile, ProfilesUpdated
from shared.contracts.portfolio import PortfolioDue, PortfoliosValued, SymbolsOnboarding
from shared.contracts.run import ONLY_PART, Run
from shared.paths import API
from shared.prices.panel import PricePanel
from shared.service import Service, build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.support.databases import OPERATOR_TOKEN
from tests.support.outbox import EVENTS_OF_RUN, event_of
from tests.support.runs import make_run

E = TypeVar("E", bound=Event)
Closes = Mapping[str, Mapping[date, float]]

# Monday 10 to Friday 14 March 2025, after the close of the last.
WEEK: Final = tuple(date(2025, 3, day) for day in range(10, 15))
NOW: Final = datetime(2025, 3, 14, 23, 0, tzinfo=UTC)
_numbers = count(1)


def new_name(kind: str = "S") -> str:
    """Return a name that no other test uses."""
    return f"{kind}{next(_numbers):06d}"


def priced(run: Run, closes: Closes) -> PricesUpdated:
    """Return bars of each symbol on whatever sessions it has."""
    blocks = []
    for symbol, series in closes.items():
        row = tuple(series.values())
        block = PriceBlock(sessions=tuple(series), symbols=(symbol,), sources=("files",), close=(row,), adjusted=(row,))
        blocks.append(block)
    return PricesUpdated(run=run, part=ONLY_PART, blocks=tuple(blocks))


@dataclass(slots=True)
class Books:
    """The API and the handlers of portfolio on a database, without a broker."""

    service: Service
    panel: PricePanel
    fan_in: FanIn
    client: httpx.AsyncClient
    shelf: PositionShelf = field(default_factory=PositionShelf)

    async def open(self, *positions: tuple[str, str, date, str], **terms: Any) -> dict[str, Any]:
        """Enter a portfolio of (symbol, quantity, entry date, entry price), opened on Monday with 10,000."""
        body = {
            "name": new_name("book "),
            "opening_equity": "10000.00",
            "opened_on": str(WEEK[0]),
            "as_of": str(WEEK[-1]),
            "positions": [
                {
                    "symbol": symbol,
                    "kind": "SHORT" if quantity.startswith("-") else "LONG",
                    "quantity": quantity,
                    "entry_date": str(entered),
                    "entry_price": price,
                }
                for symbol, quantity, entered, price in positions
            ],
        }
        answer = await self.client.post("/portfolios", json=body | terms)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def request(self, run_id: str) -> Run:
        """Return the run that was asked for with an answer."""
        (event,) = await self.announced(SymbolsOnboarding, UUID(run_id))
        return event.run

    async def prepare(self, run: Run, closes: Closes, *profiles: Profile) -> list[PortfolioDue]:
        """Deliver the prices and profiles of a run and return the shards that follow."""
        async with self.service.unit_of_work() as uow:
            await store_prices(priced(run, closes), uow, fan_in=self.fan_in)
        async with self.service.unit_of_work() as uow:
            told = ProfilesUpdated(run=run, part=ONLY_PART, profiles=profiles)
            await store_profiles(told, uow, fan_in=self.fan_in)
        return await self.announced(PortfolioDue, run.run_id)

    async def value(self, run: Run, closes: Closes, *profiles: Profile) -> list[PortfoliosValued]:
        """Deliver the prices and profiles of a run and value what is due."""
        waiting, delivered = await self.prepare(run, closes, *profiles), 0
        while waiting[delivered:]:
            for due in waiting[delivered:]:
                await self.deliver(due)
            delivered, waiting = len(waiting), await self.announced(PortfolioDue, run.run_id)
        return await self.announced(PortfoliosValued, run.run_id)

    async def deliver(self, due: PortfolioDue) -> None:
        """Value a shard in a transaction of its own."""
        async with self.service.unit_of_work() as uow:
            await value_portfolios(due, uow, panel=self.panel, shelf=self.shelf)

    async def announced(self, event_type: type[E], run_id: UUID) -> list[E]:
        """Return the events of a run in the outbox."""
        query = sa.text(EVENTS_OF_RUN)
        async with self.service.unit_of_work.reading() as connection:
            rows = await connection.execute(query, {"topic": event_type.topic, "run_id": run_id})
            return [event_of(event_type, row) for row in rows]

    async def count(self, table: str, portfolio_id: str) -> int:
        """Count all revisions of a portfolio in a table."""
        query = sa.text(f"SELECT count(*) FROM {table} WHERE portfolio_id = :id")
        async with self.service.unit_of_work.reading() as connection:
            return int(await connection.scalar(query, {"id": UUID(portfolio_id)}) or 0)

    async def snapshots(self, portfolio_id: str) -> list[dict[str, Any]]:
        """Return what the API lists of a portfolio."""
        answer = await self.client.get(f"/portfolios/{portfolio_id}/snapshots")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return found

    async def figures(self, portfolio_id: str, name: str) -> list[Decimal]:
        """Return one amount of every session."""
        return [Decimal(entry[name]) for entry in await self.snapshots(portfolio_id)]


def run_for(portfolio_id: str, *, first: date, last: date) -> Run:
    """Return a run over one portfolio."""
    return make_run(first_session=first, last_session=last, portfolio_ids=(UUID(portfolio_id),), symbols=())


@pytest.fixture(scope="module")
async def books(service_database: MakeServiceDatabase) -> AsyncIterator[Books]:
    database = await service_database("portfolio")
    service = build(database.common, PortfolioSettings(symbol_onboarding_max_queue=10_000), clock=FixedClock(NOW))
    transport = httpx.ASGITransport(app=build_app([service], database.common, title="portfolio"))
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://portfolio{API}", headers=headers) as client:
        streams = (PricesUpdated.topic, ProfilesUpdated.topic)
        fan_in = FanIn("inputs", streams=streams, fan_out=fan_out_portfolios)
        yield Books(service, PricePanel(service.engine), fan_in, client)
    await service.engine.dispose()
