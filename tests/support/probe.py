"""A service that exists only in tests: the kernel's tables in a schema of its own, events on topics of its own."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.ddl import BUS_TABLES, CANCELLED_RUNS, HELD_SESSIONS, WAITING_RUNS
from shared.contracts.catalogue import dead_letter_topic
from shared.contracts.event import Event, Failure
from shared.contracts.run import ONLY_PART, Run
from shared.db.engine import build_engine
from shared.db.outbox import outbox_row
from shared.db.unit_of_work import UnitOfWork
from shared.prices.ddl import CORRECTIONS_TABLE, PRICE_TABLES, REVISED, SOURCE_COLUMN, TAKEN_BACK
from tests.support.databases import ServiceDatabase, provisioned_database
from tests.support.runs import make_run
from tests.support.stack import Servers

SERVICE = "probe"
TABLES = (
    "CREATE TABLE facts (run_id uuid NOT NULL, part_index integer NOT NULL)",
    """
    CREATE TABLE measures (
        subject text, as_of integer, value double precision, note text, PRIMARY KEY (subject, as_of)
    )
    """,
    """
    CREATE TABLE results (
        subject text, as_of integer, revision integer NOT NULL, digest text NOT NULL, value double precision,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (subject, as_of, revision)
    )
    """,
)


class ProbeHappened(Event):
    """What the probe's consumer reads."""

    topic: ClassVar[str] = "probe.happened"

    numbers: tuple[float, ...] = ()
    names: dict[str, float] = Field(default_factory=dict)


class ProbeServed(Event):
    """What the consumer of a whole service reads: tests that count what comes share it with nobody."""

    topic: ClassVar[str] = "probe.served"


class ProbeFollowed(Event):
    """What the probe announces."""

    topic: ClassVar[str] = "probe.followed"


class ProbeDue(Event):
    """A shard of work."""

    topic: ClassVar[str] = "probe.due"


class ProbeFlooded(Event):
    """What the consumer with the low dead-letter limit reads."""

    topic: ClassVar[str] = "probe.flooded"


Behaviour = Callable[[Event, UnitOfWork], Awaitable[None]]


@dataclass(slots=True)
class Script:
    """What the probe's handler does with the events of each run, and what it was called with."""

    behaviours: dict[UUID, Behaviour] = field(default_factory=dict)
    report_behaviours: dict[UUID, Behaviour] = field(default_factory=dict)
    calls: list[Event] = field(default_factory=list)
    reports: list[tuple[Event, Failure]] = field(default_factory=list)

    def calls_of(self, run: Run) -> list[Event]:
        """Return the calls for one run."""
        return [event for event in self.calls if event.run.run_id == run.run_id]

    def reports_of(self, run: Run) -> list[Failure]:
        """Return the failures reported for one run."""
        return [failure for event, failure in self.reports if event.run.run_id == run.run_id]

    async def report(self, event: Event, failure: Failure, uow: UnitOfWork) -> None:
        """Announce that the event failed."""
        self.reports.append((event, failure))
        if event.run.run_id in self.report_behaviours:
            await self.report_behaviours[event.run.run_id](event, uow)
        uow.emit(ProbeFollowed(run=event.run, part=event.part, failures=(failure,)))


async def follow_script(event: Event, uow: UnitOfWork, *, script: Script) -> None:
    """Write a fact, announce it, then do what the script says."""
    script.calls.append(event)
    await uow.connection.execute(
        sa.text("INSERT INTO facts VALUES (:run_id, :index)"),
        {"run_id": event.run.run_id, "index": event.part.index},
    )
    uow.emit(ProbeFollowed(run=event.run, part=event.part))
    if event.run.run_id in script.behaviours:
        await script.behaviours[event.run.run_id](event, uow)


def happened(run: Run | None = None, **fields: Any) -> ProbeHappened:
    """Return an event for the probe's consumer."""
    return ProbeHappened(**{"run": run or make_run(), "part": ONLY_PART, **fields})


@asynccontextmanager
async def probe_database(servers: Servers) -> AsyncIterator[ServiceDatabase]:
    """Make a database with the probe's schema."""
    async with provisioned_database(servers, [SERVICE]) as database:
        engine = build_engine(database.url(SERVICE), service=SERVICE)
        async with engine.begin() as connection:
            bus = (*BUS_TABLES, *WAITING_RUNS, HELD_SESSIONS, CANCELLED_RUNS)
            for statement in (*bus, *PRICE_TABLES, SOURCE_COLUMN, TAKEN_BACK, REVISED, CORRECTIONS_TABLE, *TABLES):
                await connection.execute(sa.text(statement))
        await engine.dispose()
        yield database


async def create_probe_topics(servers: Servers) -> None:
    """Create the probe's topics, one partition each, so that what is behind a bad message waits for it."""
    names = [event.topic for event in (ProbeHappened, ProbeServed, ProbeFollowed, ProbeDue, ProbeFlooded)]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    existing = set(await admin.list_topics())
    await admin.close()
    wanted = [name for topic in names for name in (topic, dead_letter_topic(topic)) if name not in existing]
    if wanted:
        await make_topics(servers, *wanted)


async def make_topics(servers: Servers, *names: str, partitions: int = 1) -> None:
    """Create topics; of one that somebody else has made nobody knows what is in it, nor how many partitions it has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    answer = await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    await admin.close()
    assert [name for name, code, *_ in answer.topic_errors if code] == [], "topics that are there already"


@dataclass(slots=True)
class Topic:
    """Everything on a topic's only partition, read from the beginning without a group."""

    name: str
    bootstrap_servers: str
    _consumer: AIOKafkaConsumer | None = None
    records: list[ConsumerRecord[bytes, bytes]] = field(default_factory=list)

    async def of(self, run: Run) -> list[ConsumerRecord[bytes, bytes]]:
        """Return what has arrived of one run."""
        await self.read()
        return [
            record for record in self.records if headers_of(record).get("ce_subject", "").startswith(str(run.run_id))
        ]

    async def read(self) -> None:
        """Take in what has arrived."""
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=50
            )
            await self._consumer.start()
            partition = TopicPartition(self.name, 0)
            self._consumer.assign([partition])
            await self._consumer.seek_to_beginning(partition)
        batches = await self._consumer.getmany(timeout_ms=100)
        self.records.extend(record for batch in batches.values() for record in batch)

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()


def headers_of(record: ConsumerRecord[bytes, bytes]) -> dict[str, str]:
    """Return the headers as text."""
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


@dataclass(slots=True)
class Sender:
    """Sends bytes as they are, as a broken or hostile producer would."""

    producer: AIOKafkaProducer

    async def event(self, event: Event, *, repeat: int = 1, partition: int | None = None) -> None:
        """Send a well-formed message, where its key leads unless a partition is named."""
        row = outbox_row(event, source="test")
        for _ in range(repeat):
            await self.raw(row.topic, row.value, headers=row.headers, key=row.key.encode(), partition=partition)

    async def raw(
        self,
        topic: str,
        value: bytes | None,
        *,
        headers: dict[str, Any],
        key: bytes | None = b"key",
        partition: int | None = None,
    ) -> int:
        """Send anything and return its offset."""
        encoded = [(name, text.encode() if isinstance(text, str) else text) for name, text in headers.items()]
        sent = await self.producer.send_and_wait(topic, value, key=key, headers=encoded, partition=partition)
        return int(sent.offset)


def with_headers(event: Event, **changes: str | bytes | None) -> dict[str, Any]:
    """Return the event's headers, some of them changed."""
    return {**outbox_row(event, source="test").headers, **changes}


async def count(engine: AsyncEngine, table: str, run: Run) -> int:
    """Count the rows of a table that belong to a run."""
    async with engine.connect() as connection:
        found = await connection.scalar(
            sa.text(f"SELECT count(*) FROM {table} WHERE run_id = :run_id"), {"run_id": run.run_id}
        )
    return int(found or 0)


async def inbox_count(engine: AsyncEngine, event: Event) -> int:
    """Count what the inbox remembers of an event."""
    async with engine.connect() as connection:
        found = await connection.scalar(
            sa.text("SELECT count(*) FROM inbox WHERE event_id = :event_id"), {"event_id": event.event_id}
        )
    return int(found or 0)


def body_of(event: Event) -> dict[str, Any]:
    """Return the event as JSON data, to be spoilt."""
    body: dict[str, Any] = json.loads(event.model_dump_json())
    return body
