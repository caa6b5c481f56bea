"""The whole platform in this process: five services, one application, one port, as `sigmasight up` runs it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from services.market_data.settings import MarketDataSettings
from services.ops.board.routes import add_pages
from services.ops.client.client import KEPT_S
from services.ops.composition import build_services
from services.ops.hosting.server import listen, serve, url_of
from services.scheduler.settings import SchedulerSettings
from shared.bus.broker import create_topics
from shared.contracts.catalogue import TopicLayout
from shared.contracts.run import Run
from shared.contracts.services import SERVICES
from shared.factor_set import SAMPLE_FACTOR_SET, FactorSet
from shared.paths import API
from shared.service import Service, build_app
from shared.settings import CommonSettings
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase, migrated_database
from tests.support.eventually import PATIENCE_S, eventually
from tests.support.stack import Servers

Json = dict[str, Any]

# Runs are those that a test asks for, also when it runs at nine in the evening in New York.
NO_SCHEDULE = SchedulerSettings(batch_processing_enabled=False, max_backfill_dates=0)


@dataclass(frozen=True, slots=True)
class Api:
    """What a person with a client can do; an answer that is no success fails the test."""

    client: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """Return what the platform answers."""
        return _accepted(await self.client.get(path, params=query))

    async def items(self, path: str, **query: Any) -> list[Json]:
        """Return the entries of a list that fits into a page."""
        page = await self.get(path, **query)
        assert page["next"] is None
        items: list[Json] = page["items"]
        return items

    async def post(self, path: str, body: Json) -> Json:
        """Send something and return what the platform answers."""
        answer: Json = _accepted(await self.client.post(path, json=body))
        return answer

    async def import_portfolio(self, name: str, csv: str, **terms: Any) -> Json:
        """Enter a portfolio from the text of a CSV file."""
        return await self.post("/portfolios", {"name": name, "csv": csv, **terms})

    async def ended(self, run_id: str) -> Json:
        """Return a run when it has ended; its opening may not have reached the ledger yet."""

        async def look() -> Json | None:
            answer = await self.client.get(f"/runs/{run_id}", params={"failures": 1000})
            if answer.status_code == 404:
                return None
            run: Json = _accepted(answer)
            return run if run["status"] != "active" else None

        run = await eventually(look)
        assert run is not None
        return run

    async def run(self, **body: Any) -> Json:
        """Ask for a run and return it when it has ended."""
        opened = await self.post("/runs", body)
        return await self.ended(opened["run"]["run_id"])


def connecting(url: str, token: str) -> httpx.AsyncClient:
    """Return a client that keeps no connection for as long as servers do: they may close it while it asks."""
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(keepalive_expiry=KEPT_S)
    return httpx.AsyncClient(base_url=url + API, headers=headers, timeout=PATIENCE_S, limits=limits)


def _accepted(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


@dataclass(frozen=True, slots=True)
class Platform:
    """A running platform."""

    url: str
    api: Api
    database: ServiceDatabase
    servers: Servers
    administrator: asyncpg.Pool

    async def make_known(self, run: Run) -> None:
        """Open a run that nobody triggers: its parts are those that a test announces."""
        await self.fetch(
            "INSERT INTO scheduler.runs (run_id, kind, first_session, last_session, scope, run) "
            "VALUES ($1, $2, $3, $4, $5, $6::text::jsonb)",
            *(run.run_id, run.kind.value, run.first_session, run.last_session, str(run.run_id), run.model_dump_json()),
        )

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Return rows as the administrator sees them."""
        rows: list[asyncpg.Record] = await self.administrator.fetch(query, *arguments)
        return rows


@asynccontextmanager
async def running_platform(
    servers: Servers,
    sources: MarketDataSettings,
    factor_set: FactorSet = SAMPLE_FACTOR_SET,
    *,
    but: str = "",
) -> AsyncIterator[Platform]:
    """Run the platform, all services `but` one, on an empty database, beside a broker that nobody else publishes on."""
    async with AsyncExitStack() as held:
        database = await held.enter_async_context(migrated_database(servers, SERVICES))
        await create_topics(servers.connection, TopicLayout(partitions=4))
        common = database.common.model_copy(update={"factor_set": factor_set})
        names = [name for name in SERVICES if name != but]
        services = build_services(names, common, market_data=sources, scheduler=NO_SCHEDULE)
        url = await held.enter_async_context(_serving(services, common))
        client = connecting(url, OPERATOR_TOKEN)
        # To connect costs more than to ask, and who waits asks often.
        administrator = await held.enter_async_context(asyncpg.create_pool(database.admin_url, min_size=0))
        yield Platform(url, Api(await held.enter_async_context(client)), database, servers, administrator)


@asynccontextmanager
async def _serving(services: Sequence[Service], common: CommonSettings) -> AsyncIterator[str]:
    listening = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        app = build_app(services, common, title="SigmaSight under test")
        add_pages(app, url_of(listener))
        task = asyncio.create_task(serve(app, listener, listening.set))
        waiting = asyncio.create_task(listening.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield url_of(listener)
        finally:
            waiting.cancel()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
