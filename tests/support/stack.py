"""The database and the broker that integration tests run on."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

import asyncpg

from services.ops.hosting.embedded.brokers import choose_broker
from services.ops.hosting.embedded.errors import EmbeddedUnavailable
from services.ops.hosting.embedded.postgres import EmbeddedPostgres
from shared.bus.broker import BrokerKind
from shared.bus.connection import Connection

BrokerUnderTest = Literal["tansu", "kafka", "testcontainers"]

_BROKER_VARIABLE = "SIGMASIGHT_TEST_BROKER"
_HASTY = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
_IMAGE = "confluentinc/cp-kafka:7.6.0"


@dataclass(frozen=True, slots=True)
class Servers:
    """A database server and, for who asks for one, a broker.

    Attributes
    ----------
    database_url : str
        The `postgres` database, for the administrator role.
    bootstrap_servers : str
        The broker's address; nobody listens at the one that is given here.
    broker_kind : BrokerKind
        Which broker it is.
    """

    database_url: str
    bootstrap_servers: str = "127.0.0.1:1"
    broker_kind: BrokerKind = BrokerKind.TANSU

    @property
    def connection(self) -> Connection:
        """How the broker is reached."""
        return Connection(self.bootstrap_servers)


def wanted_broker() -> BrokerUnderTest:
    """Return the broker that the tests are to run on: `SIGMASIGHT_TEST_BROKER`, by default Tansu."""
    chosen = os.environ.get(_BROKER_VARIABLE, "tansu")
    if chosen not in get_args(BrokerUnderTest):
        raise ValueError(f"{_BROKER_VARIABLE} must be one of {get_args(BrokerUnderTest)}, was {chosen!r}")
    return cast("BrokerUnderTest", chosen)


def broker_description() -> str:
    """Say which broker the tests run on, without starting it."""
    broker = wanted_broker()
    if broker == "testcontainers":
        return f"{_IMAGE} in a container"
    try:
        choice = choose_broker(broker)
    except EmbeddedUnavailable as missing:
        return f"none: {missing}"
    return f"{choice.kind} {choice.version}"


@asynccontextmanager
async def run_postgres() -> AsyncIterator[Servers]:
    """Run a database server in a temporary directory, and no broker."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-tests-") as directory:
        async with EmbeddedPostgres(Path(directory)) as postgres:
            # The directory goes with the server: nothing has to outlive the machine.
            for statement in (*_HASTY, "SELECT pg_reload_conf()"):
                await _execute(postgres.url, statement)
            yield Servers(postgres.url)


@asynccontextmanager
async def with_broker(servers: Servers) -> AsyncIterator[Servers]:
    """Run the chosen broker beside a database server."""
    broker = wanted_broker()
    if broker == "testcontainers":
        async with _in_container() as address:
            yield replace(servers, bootstrap_servers=address, broker_kind=BrokerKind.KAFKA)
        return
    with tempfile.TemporaryDirectory(prefix="sigmasight-tests-") as directory:
        running = choose_broker(broker).broker(Path(directory))
        await running.start()
        try:
            yield replace(servers, bootstrap_servers=running.bootstrap_servers, broker_kind=BrokerKind(broker))
        finally:
            await running.stop()


@asynccontextmanager
async def _in_container() -> AsyncIterator[str]:
    # Imported here: it costs every test session 0.6 s, and most have no container engine.
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415

    try:
        kafka = KafkaContainer(_IMAGE).with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        await asyncio.to_thread(kafka.start)
    except DockerException as error:
        raise EmbeddedUnavailable(f"{_BROKER_VARIABLE}=testcontainers needs a container engine: {error}") from error
    try:
        yield str(kafka.get_bootstrap_server())
    finally:
        await asyncio.to_thread(kafka.stop)


async def create_database(admin_url: str, name: str, *, template: str = "template1") -> str:
    """Make a database and return its address."""
    await _execute(admin_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return urlsplit(admin_url)._replace(path=f"/{name}").geturl()


@asynccontextmanager
async def fresh_database(admin_url: str, *, template: str = "template1") -> AsyncIterator[str]:
    """Make a database, empty or a copy, yield its address, drop it whoever is still connected."""
    name = f"test_{secrets.token_hex(6)}"
    url = await create_database(admin_url, name, template=template)
    try:
        yield url
    finally:
        await _execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
