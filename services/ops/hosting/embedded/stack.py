"""A database and a broker together, on one data directory."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from services.ops.hosting.embedded.brokers import BrokerKind, EmbeddedBroker, EmbeddedServer, choose_broker
from services.ops.hosting.embedded.lock import DataDirectoryLock
from services.ops.hosting.embedded.postgres import EmbeddedPostgres
from shared.telemetry import timed


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A database and a broker that serve.

    Attributes
    ----------
    database_url : str
        The `postgres` database, for the administrator role.
    database_version : str
        PostgreSQL's version.
    bootstrap_servers : str
        The broker's address.
    broker_kind : BrokerKind
        Which broker it is.
    broker_version : str
        Its version.
    directories : tuple of Path
        Where the servers write.
    postgres, broker : EmbeddedServer, EmbeddedBroker
        The servers themselves.
    log_is_new : bool
        True if the broker does not remember what was published before: its log has just been made, is kept in memory,
        or stood still while another broker served this data directory.
    """

    database_url: str
    database_version: str
    bootstrap_servers: str
    broker_kind: BrokerKind
    broker_version: str
    log_is_new: bool
    directories: tuple[Path, ...]
    postgres: EmbeddedServer = field(compare=False, repr=False)
    broker: EmbeddedBroker = field(compare=False, repr=False)


class EmbeddedStack:
    """PostgreSQL and a broker, started together and stopped together.

    Parameters
    ----------
    data_dir : Path
        Where everything is kept; held by one process at a time.
    broker : BrokerKind | None
        Which broker to run; None for Kafka where it is installed, else Tansu.
    kafka_jars : Path | None
        Where Kafka's jars are; None for the place that `make kafka` fills.
    """

    def __init__(self, data_dir: Path, *, broker: BrokerKind | None = None, kafka_jars: Path | None = None) -> None:
        self.choice = choose_broker(broker, jars_dir=kafka_jars)
        self._data_dir = data_dir.absolute()
        self._last_broker = self._data_dir / "broker"
        self._postgres = EmbeddedPostgres(self._data_dir)
        self._broker = self.choice.broker(self._data_dir)
        self._held = ExitStack()

    async def __aenter__(self) -> RunningStack:
        self._held.enter_context(DataDirectoryLock(self._data_dir))
        try:
            async with asyncio.TaskGroup() as starting:
                starting.create_task(self._start_postgres())
                starting.create_task(self._start_broker())
        except BaseExceptionGroup as failures:
            await self._stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self._stop()
            raise
        return self._running()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start_postgres(self) -> None:
        with timed("database is up"):
            await self._postgres.start()

    async def _start_broker(self) -> None:
        with timed("broker is up", kind=self.choice.kind, version=self.choice.version):
            await self._broker.start()

    def _running(self) -> RunningStack:
        served_last = self._last_broker.read_text() if self._last_broker.exists() else None
        self._last_broker.write_text(self.choice.kind)
        return RunningStack(
            database_url=self._postgres.url,
            database_version=self._postgres.version,
            bootstrap_servers=self._broker.bootstrap_servers,
            broker_kind=self.choice.kind,
            broker_version=self.choice.version,
            log_is_new=self._broker.log_is_new or served_last != self.choice.kind,
            postgres=self._postgres,
            broker=self._broker,
            directories=(self._data_dir, self._postgres.home),
        )

    async def _stop(self) -> None:
        try:
            await self._broker.stop()
        finally:
            try:
                await self._postgres.stop()
            finally:
                self._held.close()
