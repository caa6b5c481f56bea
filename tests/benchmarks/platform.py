"""The platform in this process, as `sigmasight up` runs it, with its statements and its memory counted."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import numpy as np
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.market_data.settings import MarketDataSettings
from services.ops.composition import build_services
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.stack import EmbeddedStack
from services.ops.hosting.garbage import look_for_it_rarely
from services.ops.hosting.preparation import prepare
from services.ops.hosting.workers import Worker, environment_of
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Position, PositionTerms, PositionType
from services.portfolio.storage.repository import PortfolioRepository
from shared.bus.broker import BrokerKind
from shared.contracts.services import SERVICES
from shared.db.engine import StatementCounter
from shared.factor_set import FactorSet
from shared.paths import API
from shared.service import Service, build_app
from shared.settings import CommonSettings

OPERATOR = SecretStr("bench-operator")
POLL_S = 0.04
_STATUS = "SELECT status FROM scheduler.runs WHERE run_id = $1"


@dataclass(slots=True)
class Platform:
    """A running platform and the means to drive and to measure it."""

    client: httpx.AsyncClient
    services: dict[str, Service]
    counters: list[StatementCounter]
    admin: Any
    broker: str
    worker: Worker

    async def run(self, **request: Any) -> dict[str, Any]:
        """Ask for a run and wait for its end; return the run as the API shows it."""
        response = await self.client.post("/runs", json=request)
        response.raise_for_status()
        return await self.finished(response.json()["run"]["run_id"])

    async def finished(self, run_id: str) -> dict[str, Any]:
        """Wait for a run that was asked for and return it; nobody is asked meanwhile but the database."""

        async def has_ended() -> bool:
            return await self.admin.fetchval(_STATUS, UUID(run_id)) not in {None, "active"}

        await until(has_ended)
        response = await self.client.get(f"/runs/{run_id}")
        response.raise_for_status()
        return dict(response.json())

    @asynccontextmanager
    async def with_worker(self) -> AsyncIterator[None]:
        """Share the work with another process while the block runs."""
        task = asyncio.create_task(self.worker.run())
        try:
            await until(self._worker_is_ready)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _worker_is_ready(self) -> bool:
        return not await self.worker.troubles()

    async def write_position(self) -> int:
        """Return how many bytes the database has written ahead."""
        return int(await self.admin.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))

    def statements(self) -> int:
        """Return how many statements the services have sent so far."""
        return sum(counter.statements for counter in self.counters)

    async def rows_written(self) -> int:
        """Return how many rows the database has inserted or updated so far."""
        await self.admin.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables"
        return int(await self.admin.fetchval(query))

    async def hops_ms(self, run_id: str) -> list[float]:
        """Return, per event of a run and consumer, the milliseconds from its outbox row to its inbox row."""
        hops: list[float] = []
        for producer in SERVICES:
            for consumer in SERVICES:
                query = (
                    "SELECT extract(epoch FROM i.received_at - o.created_at) * 1000 "
                    f"FROM {producer}.outbox o JOIN {consumer}.inbox i ON i.event_id = (o.headers ->> 'ce_id')::uuid "
                    "WHERE o.run_id = $1"
                )
                hops += [float(record[0]) for record in await self.admin.fetch(query, UUID(run_id))]
        return hops


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a look says so."""
    while True:
        if await look():
            return
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def platform(data_dir: Path, files_dir: Path, **settings: BaseSettings) -> AsyncIterator[Platform]:
    """Run everything over a directory of files until the block ends; settings of a service by its name."""
    async with EmbeddedStack(data_dir) as stack:
        common = CommonSettings(
            database_url=SecretStr(stack.database_url),
            service_database_password=SecretStr("bench"),
            bootstrap_servers=stack.bootstrap_servers,
            broker=BrokerKind(stack.broker_kind),
            viewer_token=SecretStr("bench-viewer"),
            operator_token=OPERATOR,
            factor_set=FactorSet(),
        )
        await prepare(common)
        sources = MarketDataSettings(providers=("files",), files_dir=files_dir)
        services = build_services(SERVICES, common, market_data=sources, **settings)
        app = build_app(services, common, title="bench")
        admin = await asyncpg.connect(stack.database_url)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url=f"http://bench{API}",
            headers={"Authorization": f"Bearer {OPERATOR.get_secret_value()}"},
            timeout=60,
        )
        async with app.router.lifespan_context(app), client:
            # As `sigmasight up` does when it has begun.
            look_for_it_rarely()
            counters = [StatementCounter(service.engine) for service in services]
            by_name = {service.name: service for service in services}
            environment = environment_of(common, sources)
            quietly, port = ("--log-level", "error"), remembered_port(data_dir / "worker.port")
            worker = Worker(number=2, port=port, options=quietly, environment=environment)
            broker = f"{stack.broker_kind} {stack.broker_version}"
            yield Platform(client, by_name, counters, admin, broker, worker)
        await admin.close()


async def enter_portfolios(
    running: Platform, symbols: Sequence[str], *, count: int, size: int, opened_on: date
) -> None:
    """Store `count` portfolios of `size` random positions without asking for their calculation."""
    generator = np.random.default_rng(11)
    async with running.services["portfolio"].unit_of_work() as uow:
        repository = PortfolioRepository(uow.connection)
        positions: list[Position] = []
        for number in range(count):
            portfolio = Portfolio(uuid4(), f"bench {number}", opened_on, Decimal(1_000_000))
            await repository.store_portfolio(portfolio)
            picked = generator.choice(len(symbols), size=min(size, len(symbols)), replace=False)
            positions += [
                Position(uuid4(), portfolio.portfolio_id, _terms(symbols[index], opened_on)) for index in picked
            ]
        await repository.store_positions(positions)


def _terms(symbol: str, entered: date) -> PositionTerms:
    return PositionTerms(symbol, PositionType.LONG, Decimal(100), entered, Decimal("100.0000"))


async def onboard(running: Platform, name: str, symbols: Sequence[str], *, as_of: date) -> float:
    """Post a portfolio and return the seconds until its run has completed."""
    positions = [
        {"symbol": symbol, "kind": "LONG", "quantity": 10, "entry_date": as_of.isoformat(), "entry_price": 100}
        for symbol in symbols
    ]
    body = {"name": name, "opening_equity": "1000000", "as_of": as_of.isoformat(), "positions": positions}
    started = time.perf_counter()
    response = await running.client.post("/portfolios", json=body)
    response.raise_for_status()
    await running.finished(response.json()["run_id"])
    return time.perf_counter() - started
