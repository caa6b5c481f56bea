import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info

from tests.support.bus_log import BusLog
from tests.support.stack import (
    BrokerUnderTest,
    Servers,
    broker_description,
    fresh_database,
    run_postgres,
    wanted_broker,
    with_broker,
)

# No test is timed: how long an example takes depends on what else the machine does. The examples are those of the seed
# (`--hypothesis-seed`), in every environment; one that fails is printed as the decorator that repeats it.
hypothesis.settings.register_profile(
    "untimed",
    hypothesis.settings.get_profile("default"),
    deadline=None,
    # With the same seed a hundred find what they have found; other seeds look further (`--hypothesis-seed=N`).
    max_examples=40,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("untimed")

# Who runs the platform gets one process: several of them are what few tests are about, and each costs seconds.
os.environ.setdefault("SIGMASIGHT_WORKERS", "1")


def pytest_report_header(config: pytest.Config) -> str:
    return f"broker: {broker_description()}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what depends on the broker: what asks for it. No other test is told an address where one listens.

    The files that may take longest begin, so that no process is left with one of them when the others have ended.
    """
    longest: dict[Path, float] = {}
    for item in items:
        if "broker_kind" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")
        longest[item.path] = max(longest.get(item.path, 0.0), _may_take(item))
    items.sort(key=lambda item: -longest[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Collect without looking for garbage, and then leave alone what stays until the end: half a million objects."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def _may_take(item: pytest.Item) -> float:
    """Return how many seconds a test may take, as far as its marks say."""
    limit = item.get_closest_marker("timeout")
    if limit is not None:
        return float(limit.args[0])
    return 60.0 if item.get_closest_marker("slow") else 0.0


@pytest.fixture(scope="session")
def broker_kind() -> BrokerUnderTest:
    """Which broker the tests run on."""
    return wanted_broker()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Servers]:
    """One database server for the session (for each of its processes), started when the first test asks."""
    async with run_postgres() as running:
        yield running


@pytest.fixture(scope="session")
async def servers(postgres: Servers, broker_kind: BrokerUnderTest) -> AsyncIterator[Servers]:
    """The database server and one broker for the session."""
    async with with_broker(postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def database(postgres: Servers) -> AsyncIterator[str]:
    """The address of an empty database for this test module."""
    async with fresh_database(postgres.database_url) as url:
        yield url


@pytest.fixture(autouse=True)
def bus_log() -> Iterator[BusLog]:
    """What the kernel logs; a test fails when that has a bug in it which the test did not expect."""
    before = structlog.get_config()
    log = BusLog()
    structlog.configure(processors=[merge_contextvars, format_exc_info, log.record])
    yield log
    structlog.configure(**before)
    assert log.unexpected() == []
