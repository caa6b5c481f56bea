"""A process that is frozen holds nobody up: what it has locked is let go by the server."""

import asyncio
import contextlib
from dataclasses import replace

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from shared.bus.inbox import first_time_seen
from shared.bus.relay import OutboxRelay
from shared.db.engine import TimeLimits, build_engine, plain_url
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import is_transient
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, ProbeFollowed, happened
from tests.support.stack import Servers

SHORT = TimeLimits(lock_s=0.2, idle_in_transaction_s=0.5, statement_s=60.0)


async def test_replica_waits_for_a_frozen_process_no_longer_than_it_may_be_silent(probe: ServiceDatabase) -> None:
    frozen = build_engine(probe.url(SERVICE), service=SERVICE, limits=SHORT)
    healthy = build_engine(probe.url(SERVICE), service=SERVICE)
    event = happened()
    async with frozen.connect() as holding:
        assert await first_time_seen(holding, "probe.follow_script", event.event_id)
        async with healthy.connect() as waiting:
            assert await first_time_seen(waiting, "probe.follow_script", event.event_id)
        with pytest.raises(DBAPIError) as lost:
            await holding.execute(sa.text("SELECT 1"))
    assert is_transient(lost.value)
    await frozen.dispose()
    await healthy.dispose()


async def test_wait_for_a_lock_and_a_statement_end_and_are_tried_again(probe: ServiceDatabase) -> None:
    limited = build_engine(probe.url(SERVICE), service=SERVICE, limits=SHORT)
    holder = build_engine(probe.url(SERVICE), service=SERVICE)
    event = happened()
    async with holder.connect() as holding:
        assert await first_time_seen(holding, "probe.follow_script", event.event_id)
        async with limited.connect() as waiting:
            with pytest.raises(DBAPIError, match="lock timeout") as refused:
                await first_time_seen(waiting, "probe.follow_script", event.event_id)
    assert is_transient(refused.value)

    hasty = build_engine(probe.url(SERVICE), service=SERVICE, limits=replace(SHORT, statement_s=0.2))
    async with hasty.connect() as slow:
        with pytest.raises(DBAPIError, match="statement timeout"):
            await slow.execute(sa.text("SELECT pg_sleep(600)"))
    await hasty.dispose()
    await limited.dispose()
    await holder.dispose()


async def test_relay_that_is_frozen_is_succeeded(
    servers: Servers, probe: ServiceDatabase, probe_topics: None, unit_of_work: UnitOfWorkFactory
) -> None:
    address = plain_url(probe.url(SERVICE).get_secret_value())
    relay = OutboxRelay(address, servers.connection, servers.broker_kind, service=SERVICE)
    relay.silent_s, relay.standby_poll_s = 0.5, 0.05
    frozen = await relay.connect()
    assert await frozen.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"{SERVICE}.outbox")
    event = happened()
    async with unit_of_work() as uow:
        uow.emit(ProbeFollowed(run=event.run, part=event.part))

    async def has_published() -> bool:
        return relay.sent > 0

    task = asyncio.create_task(relay.run())
    await eventually(has_published)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
        await frozen.fetchval("SELECT 1")
