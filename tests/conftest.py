import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

# The process that only hands out tests and tells how they went would load the kernel for this, before others begin.
if TYPE_CHECKING:
    from tests.support.bus_log import BusLog
    from tests.support.stack import BrokerUnderTest, Servers

# No test is timed: how long an example takes depends on what else the machine does. The examples are those of the seed
# (`--hypothesis-seed`), in every environment; one that fails is printed as the decorator that repeats it.
hypothesis.settings.register_profile(
    "untimed",
    hypothesis.settings.get_profile("default"),
    deadline=None,
    max_examples=10,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
# Where there is time (`make test SLOW=1`). With the same seed a hundred find what they have found; other seeds look
# further, as many as they take time for (`make unit ARGS="-m hypothesis --hypothesis-profile=thorough
# --hypothesis-seed=N"`).
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("untimed"), max_examples=25)
hypothesis.settings.load_profile("untimed")

# The whole source as syntax trees, and the schemas of all services put together: each takes a process seconds to make.
_TOGETHER = ("tests/architecture/", "tests/contracts/")

# Who runs the platform gets one process: several of them are what few tests are about, and each costs seconds.
os.environ.setdefault("SIGMASIGHT_WORKERS", "1")


def pytest_report_header(config: pytest.Config) -> str:
    from tests.support.stack import broker_description

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give files to processes one by one, but those that need the same large thing to the same one."""
    return _Together(config, log)


class _Together(LoadFileScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER[0] if nodeid.startswith(_TOGETHER) else str(super()._split_scope(nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Collect without looking for garbage, and then leave alone what stays until the end: half a million objects.

    Then look for it seldom: what a session keeps (the source as syntax trees, documents) would be looked through again
    and again, and while it is made that takes as long as making it.
    """
    gc.disable()
    result = yield
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    return result


def _may_take(item: pytest.Item) -> float:
    """Return how many seconds a test may take, as far as its marks say."""
    limit = item.get_closest_marker("timeout")
    if limit is not None:
        return float(limit.args[0])
    return 60.0 if item.get_closest_marker("slow") else 0.0


@pytest.fixture(scope="session")
def broker_kind() -> "BrokerUnderTest":
    """Which broker the tests run on."""
    from tests.support.stack import wanted_broker

    return wanted_broker()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator["Servers"]:
    """One database server for the session (for each of its processes), started when the first test asks."""
    from tests.support.stack import run_postgres

    async with run_postgres() as running:
        yield running


@pytest.fixture(scope="session")
async def servers(postgres: "Servers", broker_kind: "BrokerUnderTest") -> AsyncIterator["Servers"]:
    """The database server and one broker for the session."""
    from tests.support.stack import with_broker

    async with with_broker(postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def database(postgres: "Servers") -> AsyncIterator[str]:
    """The address of an empty database for this test module."""
    from tests.support.stack import fresh_database

    async with fresh_database(postgres.database_url) as url:
        yield url


@pytest.fixture(autouse=True)
def bus_log() -> Iterator["BusLog"]:
    """What the kernel logs; a test fails when that has a bug in it which the test did not expect."""
    import structlog
    from structlog.contextvars import merge_contextvars
    from structlog.processors import format_exc_info

    from tests.support.bus_log import BusLog

    before = structlog.get_config()
    log = BusLog()
    structlog.configure(processors=[merge_contextvars, format_exc_info, log.record])
    yield log
    structlog.configure(**before)
    assert log.unexpected() == []
