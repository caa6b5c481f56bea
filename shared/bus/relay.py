"""The relay: publishes a service's outbox in order, one leader at a time, and keeps what it has published."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.bus.access import broker_answers
from shared.bus.broker import CAPABILITIES, BrokerKind, Producer, build_producer
from shared.bus.connection import Connection
from shared.bus.doorbell import doorbell, set_within
from shared.bus.refusals import Refusals
from shared.bus.sending import Sending
from shared.db.retention import Retention
from shared.errors import DRIVER_ERRORS
from shared.failpoints import Place, failpoint
from shared.metrics.catalogue import PARKED, PUBLISHED, RELAY_SECONDS
from shared.metrics.service_metrics import ServiceMetrics

log = structlog.get_logger("relay")

_PENDING = """
    SELECT id, created_at, topic, key, value, headers FROM outbox
    WHERE published_at IS NULL AND error IS NULL AND topic <> ALL($2::text[]) ORDER BY id LIMIT $1
"""
_PUBLISHED = """
    UPDATE outbox o SET published_at = clock_timestamp()
    FROM unnest($1::bigint[], $2::timestamptz[]) AS sent (id, created_at)
    WHERE o.id = sent.id AND o.created_at = sent.created_at
    RETURNING o.topic, extract(epoch FROM o.published_at - o.created_at)::double precision AS seconds
"""
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_TELL = "SELECT pg_notify($1, $2)"
# Of all services of a database: a process that hosts some of them hears of the others' too.
_PUBLISHED_TO = "published"
_PARK = "UPDATE outbox SET error = $3 WHERE id = $1 AND created_at = $2"


class OutboxRelay:
    """Publishes the outbox of one service.

    Rows of a topic leave in id order; while one cannot be sent the ones behind it wait, so the order per key is kept,
    and those of other topics go on. A row that the broker will never take (too large) is parked with its error and
    the queue goes on. Several relays may run: the holder of the advisory lock works, the others stand by.

    Parameters
    ----------
    database_url : str
        ``postgresql://`` URL of a direct connection (LISTEN and advisory locks don't survive a statement pooler).
    connection : Connection
        How the broker is reached.
    kind : BrokerKind
        What the broker can do.
    service : str
        Whose outbox; also the schema.
    metrics : ServiceMetrics, optional
        What is counted of it.

    Attributes
    ----------
    retention : Retention
        What is forgotten once a day, by the holder of the lock.
    """

    flush_rows = 500
    idle_poll_s = 5.0
    standby_poll_s = 1.0
    reconnect_pause_s = 0.5
    # A leader asks every few seconds: one that has said nothing for so long is frozen, and another one takes over.
    silent_s = 120.0
    stop_within_s = 5.0
    # For so long a topic may take nothing before the others go on without it.
    patience_s = 5.0

    def __init__(
        self,
        database_url: str,
        connection: Connection,
        kind: BrokerKind,
        *,
        service: str,
        metrics: ServiceMetrics | None = None,
    ) -> None:
        self._database_url = database_url
        self._connection = connection
        self._kind = kind
        self._service = service
        self._wake = asyncio.Event()
        self._was_deaf = False
        self._partitions_made_for: date | None = None
        self.retention = Retention()
        self._metrics = metrics or ServiceMetrics(service)
        self._metrics.add(PARKED, amount=0)
        self._refusals = Refusals(self._offer, self._wake)
        self.sent = 0

    def troubles(self) -> list[str]:
        """Return which topics refuse messages, since when and why."""
        return [f"{self._service}'s relay: {trouble}" for trouble in self._refusals.troubles()]

    async def run(self) -> None:
        """Work until cancelled; a lost database or broker is waited for."""
        while True:
            try:
                await self._lead_or_stand_by()
            except (OSError, KafkaError, *DRIVER_ERRORS) as error:
                log.warning("relay interrupted", error=repr(error))
                self._was_deaf = True
                await asyncio.sleep(self.reconnect_pause_s)

    async def connect(self) -> Any:
        """Return a connection to the service's database that the server ends when it is silent for too long."""
        return await asyncpg.connect(
            self._database_url,
            server_settings={
                "search_path": self._service,
                "application_name": f"{self._service}.relay",
                "idle_session_timeout": str(round(self.silent_s * 1000)),
            },
        )

    async def _lead_or_stand_by(self) -> None:
        connection = await self.connect()
        try:
            await connection.add_listener(f"outbox.{self._service}", self._on_notify)
            await connection.add_listener(_PUBLISHED_TO, self._on_published)
            if self._was_deaf:
                doorbell(self._connection.bootstrap_servers).ring_all()
                self._was_deaf = False
            lock = f"{self._service}.outbox"
            # The lock is let go in another process: no event of ours can tell.
            while not await connection.fetchval(_TRY_LOCK, lock):  # noqa: ASYNC110
                await asyncio.sleep(self.standby_poll_s)
            await self._publish_for_ever(connection)
        finally:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1)

    def _on_notify(self, *_: object) -> None:
        self._wake.set()

    def _on_published(self, _connection: object, _pid: int, _channel: str, topics: str) -> None:
        doorbell(self._connection.bootstrap_servers).ring(topics.split())

    async def _publish_for_ever(self, connection: Any) -> None:
        try:
            while True:
                producer = build_producer(self._connection, self._kind, service=self._service)
                # What it has not sent is still in the outbox.
                within_s = self.stop_within_s
                try:
                    await producer.start()
                    await self._publish_until_refused(connection, producer)
                    within_s = 0.0
                finally:
                    await producer.leave(within_s=within_s)
        finally:
            await self._refusals.forget()

    async def _publish_until_refused(self, connection: Any, producer: Producer) -> None:
        # A producer that numbers its messages has a gap in them after one that was refused: Kafka would take no more.
        while True:
            self._wake.clear()
            await self._keep_partitions(connection)
            refused = self._refusals.count
            if await self.flush(connection, producer) == 0:
                await set_within(self._wake, self.idle_poll_s)
            if self._refusals.count > refused:
                return

    async def flush(self, connection: Any, producer: Producer) -> int:
        """Send the oldest pending rows together, mark what was taken, and return how many rows were settled or held.

        Rows of a topic that refuses are held until it has taken the oldest of them; those of others go on.

        Raises
        ------
        KafkaError
            If there is no broker; what was taken before stays marked.
        """
        over = self._refusals.ended()
        await self._settle(connection, over)
        rows = await connection.fetch(_PENDING, self.flush_rows, self._refusals.topics)
        if not rows:
            return len(over)
        failpoint(Place.TAKEN, self._service)
        of_topic: dict[str, list[Any]] = {}
        for row in rows:
            of_topic.setdefault(row["topic"], []).append(row)
        sendings = [Sending(topic, theirs) for topic, theirs in of_topic.items()]
        failures = await self._send(producer, sendings)
        failpoint(Place.SENT, self._service)
        await self._settle(connection, sendings)
        if failures and not await self._broker_answers():
            raise failures[0][1]
        for sending, error in failures:
            settled = {id(row) for row in (*sending.taken, *(row for row, _ in sending.too_large))}
            first = next(row for row in sending.rows if id(row) not in settled)
            self._refusals.add(first, error)
        return len(rows)

    async def _send(self, producer: Producer, sendings: Sequence[Sending]) -> list[tuple[Sending, KafkaError]]:
        tasks = {asyncio.create_task(sending.run(producer)): sending for sending in sendings}
        unsettled, taken = set(tasks), -1
        try:
            while unsettled:
                _, unsettled = await asyncio.wait(unsettled, timeout=self.patience_s)
                before, taken = taken, sum(len(sending.taken) for sending in sendings)
                # One that takes nothing, while the broker answers, is by itself; without a broker all of them wait.
                if unsettled and taken == before and await self._broker_answers():
                    break
            return [(tasks[task], _failure(task)) for task in tasks if task in unsettled or task.exception()]
        finally:
            for task in unsettled:
                task.cancel()

    async def _offer(self, row: Any) -> Sending:
        producer = build_producer(self._connection, self._kind, service=self._service, patience_s=self.patience_s)
        sending = Sending(row["topic"], [row])
        try:
            await producer.start()
            await sending.run(producer)
        finally:
            await producer.leave(within_s=0.0)
        return sending

    async def _broker_answers(self) -> bool:
        return await broker_answers(self._connection, within_s=self.patience_s)

    async def _settle(self, connection: Any, sendings: Sequence[Sending]) -> None:
        sent = [row for sending in sendings for row in sending.taken]
        ids, written = [row["id"] for row in sent], [row["created_at"] for row in sent]
        for topic, seconds in await connection.fetch(_PUBLISHED, ids, written) if sent else ():
            self._metrics.add(PUBLISHED, topic)
            self._metrics.observe(RELAY_SECONDS, seconds)
        self.sent += len(sent)
        if sent and CAPABILITIES[self._kind].consumers_rest:
            # Consumers of every process: each has relays that hear it, whether they lead or stand by.
            await connection.execute(_TELL, _PUBLISHED_TO, " ".join({row["topic"] for row in sent}))
        for row, error in (parked for sending in sendings for parked in sending.too_large):
            log.error("outbox row parked", id=row["id"], topic=row["topic"], error=repr(error))
            await connection.execute(_PARK, row["id"], row["created_at"], repr(error))
            self._metrics.add(PARKED)

    async def _keep_partitions(self, connection: Any) -> None:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        today = now.astimezone(UTC).date()
        if self._partitions_made_for == today:
            return
        for ahead in range(1, 4):
            await _make_partition(connection, today + timedelta(days=ahead))
        if await self.retention.forget(connection, now):
            self._partitions_made_for = today


def _failure(task: "asyncio.Task[None]") -> KafkaError:
    if not task.done():
        return KafkaTimeoutError("nothing is taken")
    error = task.exception()
    if not isinstance(error, KafkaError):
        raise error or AssertionError("it has not failed")
    return error


async def _make_partition(connection: Any, day: date) -> None:
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS outbox_{day:%Y%m%d} PARTITION OF outbox "
        f"FOR VALUES FROM ('{day}T00:00:00Z') TO ('{day + timedelta(days=1)}T00:00:00Z')"
    )
