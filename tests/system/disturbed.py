"""A month of three portfolios on servers of its own, computed run after run, while processes come and go."""

import asyncio
import logging
import os
import random
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import httpx

from services.ops.hosting.embedded.brokers import EmbeddedBroker, choose_broker
from services.ops.hosting.requeue import requeue_outboxes
from services.ops.hosting.server import listen, url_of
from shared.bus.broker import BrokerKind, create_topics
from shared.calendar import sessions_between
from shared.contracts.catalogue import TopicLayout
from shared.contracts.services import SERVICES
from shared.failpoints import Failpoint
from shared.paths import API
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase, migrated_database
from tests.support.digests import Digest, digest_results
from tests.support.life import ORDINARY, Conditions, Life
from tests.support.platform import Json
from tests.support.stack import Servers, wanted_broker
from tests.system.month import EQUITY, LAST, OPENED, SAMPLES

log = logging.getLogger(__name__)

_FIRST: Final = int(os.environ.get("CHAOS_FIRST_SEED", "0"))
# What a test of it draws from: `CHAOS_SEEDS` of them.
SEEDS: Final = range(_FIRST, _FIRST + int(os.environ.get("CHAOS_SEEDS", "1")))
_LAYOUT: Final = TopicLayout(partitions=4)
_SESSIONS_OF_A_RUN: Final = 4
_AGAIN: Final = 20  # messages
_SEND_AGAIN: Final = """
    UPDATE {service}.outbox o SET published_at = NULL
    FROM (
        SELECT id, created_at FROM {service}.outbox
        WHERE published_at IS NOT NULL AND error IS NULL ORDER BY random() LIMIT $1
    ) again
    WHERE (o.id, o.created_at) = (again.id, again.created_at)
"""


@dataclass(slots=True)
class Disturbed:
    """Servers, where the processes answer, and what they have said."""

    servers: Servers
    database: ServiceDatabase
    broker: EmbeddedBroker
    listeners: Mapping[str, socket.socket]
    client: httpx.AsyncClient
    administrator: asyncpg.Pool
    log: Path
    lives: list[Life] = field(default_factory=list)
    answering: dict[str, socket.socket] = field(init=False)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.answering = dict(self.listeners)

    def begin(self, *names: str, failpoint: Failpoint | None = None, conditions: Conditions = ORDINARY) -> Life:
        """Begin a process of these services; it answers where the first of them does."""
        listener = self.listeners[names[0]]
        self.answering.update(dict.fromkeys(names, listener))
        life = Life(names, self.database.common, listener, self.log, failpoint, conditions)
        self.lives.append(life)
        return life

    async def stop(self) -> None:
        """Have every process that runs end what it has in hand."""
        running = [life for life in self.lives if not life.has_ended]
        for life in running:
            life.tell(signal.SIGCONT)
        codes = await asyncio.gather(*(life.stop() for life in running))
        assert [code for life, code in zip(running, codes, strict=True) if code and life.failpoint is None] == []

    async def month(self, *, at_once: bool = False) -> None:
        """Enter the portfolios and compute every session of the month, whatever becomes of who is asked.

        With `at_once` a run begins while those over the sessions before still go on.
        """
        for name, equity in EQUITY.items():
            terms = {"opening_equity": equity, "opened_on": OPENED, "as_of": OPENED}
            csv = (SAMPLES / f"{name}.csv").read_text()
            entered = await self._ask("portfolio", "/portfolios", {"name": name, "csv": csv, **terms}, key=name)
            await self._completed(entered["run_id"])
        sessions, begun = sessions_between(date.fromisoformat(OPENED), date.fromisoformat(LAST))[1:], list[str]()
        for first in range(0, len(sessions), _SESSIONS_OF_A_RUN):
            of_run = sessions[first : first + _SESSIONS_OF_A_RUN]
            days = {"first_session": str(of_run[0]), "last_session": str(of_run[-1])}
            opened = await self._ask("scheduler", "/runs", {**days, "requested_by": "the month"}, key=str(of_run[0]))
            begun.append(opened["run"]["run_id"])
            if not at_once:
                await self._completed(begun[-1])
        for run_id in begun:
            await self._completed(run_id)

    async def _ask(self, service: str, path: str, body: Json, *, key: str) -> Json:
        while True:
            try:
                address = f"{url_of(self.answering[service])}{API}{path}"
                answer = await self.client.post(address, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                continue
            if answer.status_code not in {409, 503}:
                assert answer.is_success, answer.text
                found: Json = answer.json()
                return found
            await asyncio.sleep(0.1)

    async def _completed(self, run_id: str) -> None:
        query = "SELECT status FROM scheduler.runs WHERE run_id = $1"
        # However long it takes: each life does a little of it.
        while (status := await self.administrator.fetchval(query, UUID(run_id))) in {None, "active"}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert status == "completed", f"{status}: run {run_id}"

    async def send_again(self, service: str, generator: random.Random) -> None:
        """Have a service publish some of what it has published again, old messages behind new ones."""
        async with self.administrator.acquire() as connection:
            await connection.execute("SELECT setseed($1)", generator.uniform(-1, 1))
            await connection.execute(_SEND_AGAIN.format(service=service), _AGAIN)

    async def restart_broker(self) -> None:
        """Stop the broker and start it again."""
        async with self.broker_away():
            pass

    @asynccontextmanager
    async def broker_away(self) -> AsyncIterator[None]:
        """Stop the broker and start it afterwards, as who keeps it does; one without a memory gets what it needs."""
        async with self.one_at_a_time:
            await self.broker.stop()
            try:
                yield
            finally:
                await self.broker.start()
            if self.broker.log_is_new:
                await create_topics(self.servers.connection, _LAYOUT)
                await requeue_outboxes(self.database.common)

    async def digests(self, *, newest: bool = False) -> dict[str, Digest]:
        """Return the digests of the results, or of the newest of each, once nothing is left that could change them."""
        assert await self.administrator.fetchval("SELECT count(*) FROM scheduler.dead_letters") == 0
        assert await self.administrator.fetchval("SELECT count(*) FROM scheduler.runs WHERE status = 'active'") == 0
        return await digest_results(self.database.admin_url, newest=newest)


@asynccontextmanager
async def disturbed_platform(postgres: Servers) -> AsyncIterator[Disturbed]:
    """Make an empty database and start a broker, for processes that are begun by the test and ended at its end."""
    kind = wanted_broker()
    assert kind != "testcontainers"
    async with AsyncExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sigmasight-disturbed-")))
        broker = choose_broker(kind).broker(directory)
        held.push_async_callback(broker.stop)
        await broker.start()
        servers = replace(postgres, bootstrap_servers=broker.bootstrap_servers, broker_kind=BrokerKind(kind))
        database = await held.enter_async_context(migrated_database(servers, SERVICES))
        await create_topics(servers.connection, _LAYOUT)
        listeners = {name: held.enter_context(listen("127.0.0.1", 0)) for name in SERVICES}
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        # One that is frozen has taken a connection, perhaps: whoever asks again comes to another one.
        client = await held.enter_async_context(httpx.AsyncClient(headers=headers, timeout=10.0))
        administrator = await held.enter_async_context(asyncpg.create_pool(database.admin_url, min_size=0))
        disturbed = Disturbed(servers, database, broker, listeners, client, administrator, directory / "lives.log")
        try:
            yield disturbed
        except BaseException:
            log.info("what the processes said: %s", disturbed.log.read_text()[-20_000:])
            raise
        finally:
            await asyncio.gather(*(life.kill() for life in disturbed.lives))
