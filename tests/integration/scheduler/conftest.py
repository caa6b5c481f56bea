from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from services.scheduler.main import build
from services.scheduler.settings import SchedulerSettings
from shared.clock import FixedClock
from shared.paths import API
from shared.service import Service, build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase

# Friday 14 March 2025, after the close and the settle delay: the target session is that day.
NOW = datetime(2025, 3, 14, 21, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def database(service_database: MakeServiceDatabase) -> ServiceDatabase:
    return await service_database("scheduler")


@pytest.fixture(scope="module")
async def scheduler(database: ServiceDatabase) -> AsyncIterator[Service]:
    """The scheduler with its database, not connected to a broker."""
    service = build(database.common, SchedulerSettings(), clock=FixedClock(NOW))
    yield service
    await service.engine.dispose()


@pytest.fixture(scope="module")
def transport(scheduler: Service, database: ServiceDatabase) -> httpx.ASGITransport:
    app = build_app([scheduler], database.common, title="scheduler")
    return httpx.ASGITransport(app=app, raise_app_exceptions=False)


@pytest.fixture(scope="module")
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    """An operator's client of the scheduler's API."""
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}", headers=headers) as client:
        yield client
